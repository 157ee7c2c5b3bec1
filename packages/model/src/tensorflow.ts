import { EnvironmentError } from '@tutti/base';
import type { BackendName, Tensorflow } from './types.ts';

/** The version whose kernels the patches below were written against. */
const PATCHED_VERSION = '4.22.0';

/** Names that tfjs registers its backends under. */
const REGISTERED: Readonly<Record<BackendName, string>> = {
  tensorflow: 'tensorflow',
  wasm: 'wasm',
  cpu: 'cpu',
  webgl: 'webgl',
  webgpu: 'webgpu',
};

/**
 * Makes `backend` current, patches kernels that it lacks, and tests that gradients come out right.
 * @throws {EnvironmentError} if the backend does not start, or computes something wrong.
 */
export async function useBackend(tf: Tensorflow, backend: BackendName): Promise<void> {
  const name = REGISTERED[backend];
  const started = await tf.setBackend(name).catch(() => false);
  if (!started || tf.getBackend() !== name)
    throw new EnvironmentError(
      `TensorFlow.js backend ${name} did not start; ${tf.getBackend() || 'none'} is current`,
    );
  await tf.ready();
  patchKernels(tf, name);
  selfTest(tf, name);
}

/**
 * wasm has no gradient of gather, and that of cpu loops over all segments: both get one through ScatterNd, which sums
 * duplicate rows. Skipped for versions that the patch was not written for: the self-test says whether they need one.
 */
function patchKernels(tf: Tensorflow, backend: string): void {
  if (tf.version_core !== PATCHED_VERSION || (backend !== 'wasm' && backend !== 'cpu')) return;
  const kernelName = 'UnsortedSegmentSum';
  const scatter = tf.getKernel('ScatterNd', backend);
  const reshape = tf.getKernel('Reshape', backend);
  if (scatter === undefined || reshape === undefined) return;
  if (tf.getKernel(kernelName, backend) !== undefined) tf.unregisterKernel(kernelName, backend);
  tf.registerKernel({
    kernelName,
    backendName: backend,
    kernelFunc: ({ inputs, attrs, backend: instance }) => {
      const { x, segmentIds } = inputs as unknown as {
        x: { shape: number[]; dtype: string };
        segmentIds: { shape: number[] };
      };
      const { numSegments } = attrs as unknown as { numSegments: number };
      const indices = reshape.kernelFunc({
        inputs: { x: segmentIds } as never,
        attrs: { shape: [...segmentIds.shape, 1] },
        backend: instance,
      });
      const result = scatter.kernelFunc({
        inputs: { indices, updates: x } as never,
        attrs: { shape: [numSegments, ...x.shape.slice(segmentIds.shape.length)] },
        backend: instance,
      });
      (instance as { disposeData(id: object): void }).disposeData((indices as { dataId: object }).dataId);
      return result;
    },
  });
}

/** A gather with a repeated row, through its gradient: the answer is known. */
function selfTest(tf: Tensorflow, backend: string): void {
  const gradient = tf.tidy(() => {
    const rows = tf.tensor1d([0, 2, 0], 'int32');
    const of = tf.grad((table) =>
      tf
        .mul(
          tf.gather(table as never, rows),
          tf.tensor2d([
            [1, 1],
            [2, 2],
            [4, 4],
          ]),
        )
        .sum(),
    );
    return Array.from(of(tf.ones([3, 2])).dataSync());
  });
  const expected = [5, 5, 0, 0, 2, 2];
  if (expected.some((value, i) => Math.abs(value - (gradient[i] ?? Number.NaN)) > 1e-6)) {
    throw new EnvironmentError(
      `TensorFlow.js ${tf.version_core} on ${backend} gets the gradient of gather wrong`,
    );
  }
}
