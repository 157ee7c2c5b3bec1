import { ADD, LAYER, multiply, rowMajor, SET, transposed } from './gemm.ts';
import { copyFloats, type Heap } from './heap.ts';

/** One hidden layer: sizes, and where its weights, gradients and batch stand (assembly/tower.ts). */
export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly padded: number;
  readonly kernel: number;
  readonly bias: number;
  readonly activation: number;
  readonly slope: number;
  readonly transposed: number;
  readonly kernelGradient: number;
  readonly biasGradient: number;
}

const FIELDS = 10;

/** The layers that the host described. */
export function layersOf({ integers, at }: Heap): readonly Layer[] {
  return Array.from({ length: at.layers }, (_, index) => {
    const from = at.layerRecords / 4 + index * FIELDS;
    const [inputs, outputs, padded, kernel, bias, activation, slope, turned, kernelGradient, biasGradient] =
      integers.subarray(from, from + FIELDS) as unknown as readonly [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ];
    return {
      inputs,
      outputs,
      padded,
      kernel,
      bias,
      activation,
      slope,
      transposed: turned,
      kernelGradient,
      biasGradient,
    };
  });
}

/** p ∘ k, and what of the first layer depends on the person and the weights only. */
export function prepare(heap: Heap, [first]: readonly Layer[]): void {
  const { floats, at } = heap;
  const [person, head, weights] = [at.person / 4, at.head / 4, at.weights / 4];
  for (let j = 0; j < at.productPadded; j++)
    floats[head + j] = (floats[person + j] as number) * (floats[weights + at.productHead / 4 + j] as number);
  if (first === undefined) return;
  const columns = first.padded;
  copyFloats(heap, first.bias, at.weights + at.firstBias, columns);
  multiply(
    heap,
    rowMajor(at.person + 4 * at.deepFrom, at.row),
    rowMajor(at.weights + at.personKernel, columns),
    rowMajor(first.bias, columns),
    { rows: 1, columns, k: at.deepSize },
    ADD,
  );
  if (at.products === 0) return;
  const own = weights + at.itemKernel / 4;
  const both = weights + at.productsKernel / 4;
  for (let i = 0; i < at.deepSize; i++) {
    const scale = floats[person + at.deepFrom + i] as number;
    for (let j = i * columns; j < (i + 1) * columns; j++)
      floats[first.kernel / 4 + j] = (floats[own + j] as number) + scale * (floats[both + j] as number);
  }
}

/** Rows of a batch: numbers from row to row, where the deep block begins, where the biases stand. */
export interface Batch {
  readonly rows: number;
  readonly stride: number;
  readonly deep: number;
  readonly bias: number;
  readonly biasStride: number;
  readonly count: number;
}

/** Logits of a batch. */
export function forward(heap: Heap, layers: readonly Layer[], batch: Batch): void {
  const { floats, at } = heap;
  const { count, rows, stride } = batch;
  let input = { at: batch.deep >>> 2, rowStep: stride, step: 1 };
  for (const layer of layers) {
    const output = rowMajor(layer.activation, layer.padded);
    const size = { rows: count, columns: layer.padded, k: layer.inputs };
    multiply(heap, input, rowMajor(layer.kernel, layer.padded), output, size, LAYER, layer.bias);
    input = { ...output, step: 1 };
  }
  const last = layers.at(-1)?.padded ?? 0;
  const output = (at.weights + at.outputKernel) / 4;
  const constant = floats[(at.weights + at.outputBias) / 4] as number;
  for (let i = 0; i < count; i++) {
    let sum = constant + (floats[batch.bias / 4 + i * batch.biasStride] as number);
    const row = rows / 4 + i * stride;
    for (let j = 0; j < at.productPadded; j++)
      sum += (floats[row + j] as number) * (floats[at.head / 4 + j] as number);
    const unit = input.at + i * last;
    for (let j = 0; j < last; j++) sum += (floats[unit + j] as number) * (floats[output + j] as number);
    floats[at.logits / 4 + i] = sum;
  }
}

/** Slopes σ(z) − y of each example's loss; the sum of the losses. */
export function crossEntropy({ floats, at }: Heap, labels: number, count: number): number {
  let total = 0;
  for (let i = 0; i < count; i++) {
    const z = floats[at.logits / 4 + i] as number;
    const y = floats[labels / 4 + i] as number;
    const e = Math.exp(-Math.abs(z));
    floats[at.slopes / 4 + i] = (z >= 0 ? 1 : e) / (1 + e) - y;
    total += Math.max(z, 0) - y * z + Math.log1p(e);
  }
  return total;
}

/** to = Σ_i scale_i · rows_i; every scale is 1 where `scales` is left out. */
function weightedSum(
  { floats }: Heap,
  to: number,
  rows: { readonly at: number; readonly stride: number; readonly columns: number; readonly count: number },
  scales?: number,
): void {
  const target = to / 4;
  floats.fill(0, target, target + rows.columns);
  for (let i = 0; i < rows.count; i++) {
    const scale = scales === undefined ? 1 : (floats[scales / 4 + i] as number);
    const row = rows.at / 4 + i * rows.stride;
    for (let j = 0; j < rows.columns; j++)
      floats[target + j] = (floats[target + j] as number) + scale * (floats[row + j] as number);
  }
}

/** Everything below the logits that does not belong to an item row. */
export function backward(heap: Heap, layers: readonly Layer[], count: number): void {
  const { at } = heap;
  const product = { at: at.batchRows, stride: at.row, columns: at.productPadded, count };
  weightedSum(heap, at.productSums, product, at.slopes);
  const last = layers.at(-1);
  if (last === undefined) return;
  outputSlopes(heap, last, count);
  const units = { at: last.activation, stride: last.padded, columns: last.padded, count };
  weightedSum(heap, at.gradients + at.outputKernel, units, at.slopes);
  for (let l = layers.length - 1; l > 0; l--) {
    const [layer, below] = [layers[l] as Layer, layers[l - 1] as Layer];
    layerGradient(heap, layer, below.activation, below.padded, count);
    passDown(heap, layer, below, count);
  }
  layerGradient(heap, layers[0] as Layer, at.batchRows + 4 * at.deepFrom, at.row, count);
}

function outputSlopes({ floats, at }: Heap, last: Layer, count: number): void {
  const output = (at.weights + at.outputKernel) / 4;
  for (let i = 0; i < count; i++) {
    const scale = floats[at.slopes / 4 + i] as number;
    for (let j = 0; j < last.padded; j++) {
      const unit = i * last.padded + j;
      const on = (floats[last.activation / 4 + unit] as number) > 0;
      floats[last.slope / 4 + unit] = on ? scale * (floats[output + j] as number) : 0;
    }
  }
}

function passDown(heap: Heap, layer: Layer, below: Layer, count: number): void {
  const { floats } = heap;
  turn(heap, layer, below.padded);
  multiply(
    heap,
    rowMajor(layer.slope, layer.padded),
    rowMajor(layer.transposed, below.padded),
    rowMajor(below.slope, below.padded),
    { rows: count, columns: below.padded, k: layer.outputs },
    SET,
  );
  for (let i = 0; i < count * below.padded; i++)
    if (!((floats[below.activation / 4 + i] as number) > 0)) floats[below.slope / 4 + i] = 0;
}

/** The transposed kernel of a layer, `columns` numbers from row to row. */
function turn({ floats }: Heap, layer: Layer, columns: number): void {
  for (let i = 0; i < layer.inputs; i++)
    for (let j = 0; j < layer.outputs; j++)
      floats[layer.transposed / 4 + j * columns + i] = floats[
        layer.kernel / 4 + i * layer.padded + j
      ] as number;
}

function layerGradient(heap: Heap, layer: Layer, input: number, inputColumns: number, count: number): void {
  const slopes = { at: layer.slope, stride: layer.padded, columns: layer.padded, count };
  weightedSum(heap, layer.biasGradient, slopes);
  multiply(
    heap,
    transposed(rowMajor(input, inputColumns)),
    rowMajor(layer.slope, layer.padded),
    rowMajor(layer.kernelGradient, layer.padded),
    { rows: layer.inputs, columns: layer.padded, k: count },
    SET,
  );
}

/** Gradient of the deep block of each row of the batch. */
export function passToRows(heap: Heap, first: Layer, count: number): void {
  const { at } = heap;
  turn(heap, first, at.deepPadded);
  multiply(
    heap,
    rowMajor(first.slope, first.padded),
    rowMajor(first.transposed, at.deepPadded),
    rowMajor(at.rowGradients, at.deepPadded),
    { rows: count, columns: at.deepPadded, k: first.outputs },
    SET,
  );
}
