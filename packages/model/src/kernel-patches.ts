import type { Tensorflow } from './types.ts';

/** The version whose kernels these patches were written against. */
const PATCHED_VERSION = '4.22.0';

type Kernel = NonNullable<ReturnType<Tensorflow['getKernel']>>;
type KernelFunction = Kernel['kernelFunc'];

/** What a kernel is handed, as far as these patches read it. */
interface Call {
  readonly inputs: Readonly<Record<string, { readonly shape: number[]; readonly dataId: object }>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: { disposeData(id: object): void };
}

/** Our own kernels, so that none is laid over itself. */
const patched = new WeakSet<KernelFunction>();

/**
 * Puts kernels in place that a backend of TensorFlow.js 4.22.0 lacks, or runs slowly; safe to call again. Other versions are
 * left as they are: the self-test of `useBackend` says whether they need a patch.
 */
export function patchKernels(tf: Tensorflow, backend: string): void {
  if (tf.version_core !== PATCHED_VERSION) return;
  if (backend === 'wasm' || backend === 'cpu') replace(tf, 'UnsortedSegmentSum', backend, segmentSum);
  if (backend === 'wasm') replace(tf, 'BatchMatMul', backend, transposedFirst);
}

/** Makes a kernel from others of the same backend; nothing where one of those is missing. */
type Maker = (of: (name: string) => Kernel | undefined) => ((call: Call) => unknown) | undefined;

function replace(tf: Tensorflow, kernelName: string, backendName: string, make: Maker): void {
  const known = tf.getKernel(kernelName, backendName);
  if (known !== undefined && patched.has(known.kernelFunc)) return;
  const made = make((name) => tf.getKernel(name, backendName));
  if (made === undefined) return;
  const kernelFunc = made as unknown as KernelFunction;
  patched.add(kernelFunc);
  if (known !== undefined) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({ kernelName, backendName, kernelFunc });
}

/** Calls another kernel of the same backend. */
function call(
  kernel: Kernel,
  inputs: Record<string, unknown>,
  attrs: Record<string, unknown>,
  backend: object,
): Call['inputs'][string] {
  const result = (kernel.kernelFunc as unknown as (call: object) => unknown)({ inputs, attrs, backend });
  return result as Call['inputs'][string];
}

/**
 * The gradient of a gather: wasm has none, and that of cpu loops over all segments for each (130 times slower on a table of
 * thousands). ScatterNd sums duplicate rows.
 */
const segmentSum: Maker = (of) => {
  const [scatter, reshape] = [of('ScatterNd'), of('Reshape')];
  if (scatter === undefined || reshape === undefined) return undefined;
  return ({ inputs, attrs, backend }) => {
    const { x, segmentIds } = inputs as { x: Call['inputs'][string]; segmentIds: Call['inputs'][string] };
    const indices = call(reshape, { x: segmentIds }, { shape: [...segmentIds.shape, 1] }, backend);
    const shape = [attrs['numSegments'], ...x.shape.slice(segmentIds.shape.length)];
    const result = call(scatter, { indices, updates: x }, { shape }, backend);
    backend.disposeData(indices.dataId);
    return result;
  };
};

/** Every gradient of a matMul transposes one side, and wasm then multiplies number by number: transposing first is faster. */
const transposedFirst: Maker = (of) => {
  const [multiply, transpose] = [of('BatchMatMul'), of('Transpose')];
  if (multiply === undefined || transpose === undefined) return undefined;
  return ({ inputs, attrs, backend }) => {
    const turned = (x: Call['inputs'][string], wanted: unknown): Call['inputs'][string] => {
      const axes = x.shape.map((_, axis) => axis);
      const perm = [...axes.slice(0, -2), ...axes.slice(-2).reverse()];
      return wanted === true ? call(transpose, { x }, { perm }, backend) : x;
    };
    const { a, b } = inputs as { a: Call['inputs'][string]; b: Call['inputs'][string] };
    const [left, right] = [turned(a, attrs['transposeA']), turned(b, attrs['transposeB'])];
    const straight = { transposeA: false, transposeB: false };
    const result = call(multiply, { a: left, b: right }, straight, backend);
    if (left !== a) backend.disposeData(left.dataId);
    if (right !== b) backend.disposeData(right.dataId);
    return result;
  };
};
