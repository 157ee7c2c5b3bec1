import { EnvironmentError } from '@tutti/base';
import { patchKernels } from './kernel-patches.ts';
import type { BackendName, Tensorflow } from './types.ts';

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
  await selfTest(tf, name);
}

type Tensor = ReturnType<Tensorflow['tensor']>;

/** Gradients whose values are known: of a gather with a repeated row, and of a product of matrices of different shapes. */
async function selfTest(tf: Tensorflow, backend: string): Promise<void> {
  const gradients = tf.tidy(() => [gatherGradient(tf), ...productGradients(tf)]);
  // Not dataSync: on WebGPU that reads through a canvas, and numbers come back wrong.
  const values = await Promise.all(gradients.map(async (gradient) => Array.from(await gradient.data())));
  tf.dispose(gradients);
  const expected = [
    [5, 5, 0, 0, 2, 2],
    [3, 7, 11, 3, 7, 11],
    [5, 5, 7, 7, 9, 9],
  ];
  const fits = (got: readonly number[], wanted: readonly number[]): boolean =>
    got.length === wanted.length && got.every((value, i) => Math.abs(value - (wanted[i] as number)) < 1e-5);
  ['gather', 'a product’s left side', 'a product’s right side'].forEach((of, i) => {
    if (!fits(values[i] as number[], expected[i] as number[]))
      throw new EnvironmentError(
        `TensorFlow.js ${tf.version_core} on ${backend} gets the gradient of ${of} wrong`,
      );
  });
}

/** d/dT of Σ T[rows]·w for rows 0, 2, 0 of weights 1, 2, 4: 5, 0, 2 in both columns. */
function gatherGradient(tf: Tensorflow): Tensor {
  const rows = tf.tensor1d([0, 2, 0], 'int32');
  const weights = tf.tensor2d([1, 1, 2, 2, 4, 4], [3, 2]);
  const of = tf.grad((table) => tf.mul(tf.gather(table as never, rows), weights).sum());
  return of(tf.ones([3, 2]));
}

/** Both gradients of Σ A·B (2 × 3 times 3 × 2) are sums: of the rows of B, and of the columns of A. */
function productGradients(tf: Tensorflow): Tensor[] {
  const a = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
  const b = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
  return tf.grads((left, right) => tf.matMul(left as typeof a, right as typeof b).sum())([a, b]);
}
