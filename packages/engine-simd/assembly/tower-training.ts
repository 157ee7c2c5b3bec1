/** Training of the neural families: gradients of a batch, and the steps along them. packages/model/src/tower.ts defines both. */
import { multiply, transpose } from './gemm';
import { expOfNegative, log1pOfUnit } from './math';
import { bytesOf, getF32, getI32, PAIR, setF32, storePair, subtractRow } from './memory';
import { SET } from './modes';
import {
  ACTIVATION, batchRows, biases, biasSlot, compact, deepDense, deepFrom, deepPadded, deepSize, denseFloats,
  firstBias, forward, gatherShared, gradients, head, INPUTS, itemKernel, KERNEL, layer, layers, logits, outputBias,
  outputKernel, OUTPUTS, PADDED, person, personKernel, prepare, productHead, productPadded, products, productSize,
  productsKernel, productSums, row, rowGradients, slopes, starts, table, weights, width,
} from './tower';

/** Where a 1 stands while there is training, in the bytes that the host leaves free. */
const ONE: usize = 80;

/** Fields of a layer's record, beside those of tower.ts. */
const SLOPE: i32 = 6;
const TRANSPOSED: i32 = 7;
const KERNEL_GRADIENT: i32 = 8;
const BIAS_GRADIENT: i32 = 9;

/** Slopes σ(z) − y of each example's loss; the sum of the losses, which take the logits' place. */
function crossEntropy(labels: usize, count: i32): f64 {
  let total: f64 = 0;
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  for (let i = 0; i < count; i += 4) {
    const z = v128.load(logits + bytesOf(i));
    const y = v128.load(labels + bytesOf(i));
    const e = expOfNegative(f32x4.neg(f32x4.abs(z)));
    const whole = f32x4.add(one, e);
    const sigmoid = f32x4.div(v128.bitselect(one, e, f32x4.ge(z, zero)), whole);
    v128.store(slopes + bytesOf(i), f32x4.sub(sigmoid, y));
    const losses = f32x4.add(f32x4.sub(f32x4.max(z, zero), f32x4.mul(y, z)), log1pOfUnit(e));
    v128.store(logits + bytesOf(i), losses);
  }
  for (let i = 0; i < count; i++) total += <f64>getF32(logits, i);
  return total;
}

/** to = Σ_i scale_i · rows_i over `vectors` vectors; scales stand `step` bytes apart. */
// @ts-ignore: decorator
@inline
function weightedSum(to: usize, rows: usize, stride: usize, scales: usize, step: usize, vectors: i32, count: i32): void {
  multiply(scales, 0, step, rows, stride, to, 0, 1, vectors, count, SET, 0);
}

/** Slopes pass where a unit was on. */
function maskInPlace(slope: usize, activation: usize, floats: i32): void {
  const zero = f32x4.splat(0);
  for (const end = slope + bytesOf(floats); slope < end; slope += PAIR) {
    storePair(
      slope,
      v128.and(v128.load(slope), f32x4.gt(v128.load(activation), zero)),
      v128.and(v128.load(slope, 16), f32x4.gt(v128.load(activation, 16), zero)),
    );
    activation += PAIR;
  }
}

/** Slopes of the last layer's units: slope_i · o where the unit was on. */
function outputSlopes(count: i32): void {
  const last = layers - 1;
  const columns = layer(last, PADDED);
  multiply(slopes, 4, 0, weights + outputKernel, 0, layer(last, SLOPE), bytesOf(columns), count, columns >> 2, 1, SET, 0);
  maskInPlace(layer(last, SLOPE), layer(last, ACTIVATION), count * columns);
}

/** Slopes of layer l − 1's units from those of layer l. */
function passDown(l: i32, count: i32): void {
  const columns = layer(l, PADDED);
  const below = layer(l - 1, PADDED);
  transpose(layer(l, KERNEL), bytesOf(columns), layer(l, INPUTS), columns, layer(l, TRANSPOSED), bytesOf(below));
  multiply(layer(l, SLOPE), bytesOf(columns), 4, layer(l, TRANSPOSED), bytesOf(below), layer(l - 1, SLOPE), bytesOf(below), count, below >> 2, layer(l, OUTPUTS), SET, 0);
  maskInPlace(layer(l - 1, SLOPE), layer(l - 1, ACTIVATION), count * below);
}

/** Gradient of layer l's kernel and bias; for the first layer, of the merged kernel. */
function layerGradient(l: i32, input: usize, inputStride: usize, count: i32): void {
  const columns = layer(l, PADDED);
  const slope = <usize>layer(l, SLOPE);
  weightedSum(layer(l, BIAS_GRADIENT), slope, bytesOf(columns), ONE, 0, columns >> 2, count);
  multiply(input, 4, inputStride, slope, bytesOf(columns), layer(l, KERNEL_GRADIENT), bytesOf(columns), layer(l, INPUTS), columns >> 2, count, SET, 0);
}

/** Everything below the logits that does not belong to an item row, for a batch in `batchRows`. */
function backward(count: i32): void {
  weightedSum(productSums, batchRows, bytesOf(row), slopes, 4, productPadded >> 2, count);
  if (layers == 0) return;
  outputSlopes(count);
  const last = layers - 1;
  const columns = layer(last, PADDED);
  weightedSum(gradients + outputKernel, layer(last, ACTIVATION), bytesOf(columns), slopes, 4, columns >> 2, count);
  for (let l = last; l > 0; l--) {
    layerGradient(l, layer(l - 1, ACTIVATION), bytesOf(layer(l - 1, PADDED)), count);
    passDown(l, count);
  }
  layerGradient(0, batchRows + bytesOf(deepFrom), bytesOf(row), count);
}

/** Begins training: the layers as the checkpoint has them. */
export function resetWeights(): void {
  store<f32>(ONE, 1);
  memory.copy(weights, starts, bytesOf(denseFloats));
}

/**
 * One pass over `count` examples in batches: gradient steps on compact rows (the sum of each example's gradient and its
 * pull l2) and on the layers (the mean), with the person's vector fixed. @returns the sum of the losses before each step.
 */
export function descend(positions: usize, labels: usize, count: i32, batch: i32, rows: usize, touched: i32, rate: f32, rowRate: f32, l2: f32, proximal: f32): f64 {
  let total: f64 = 0;
  for (let from = 0; from < count; from += batch) {
    const part = min(batch, count - from);
    const places = positions + bytesOf(from);
    gatherBatch(places, part);
    prepare();
    forward(batchRows, bytesOf(row), bytesOf(deepFrom), batchRows + biasSlot(), bytesOf(row), part);
    total += crossEntropy(labels + bytesOf(from), part);
    backward(part);
    firstLayerGradients(part);
    if (layers > 0) passToRows(part);
    if (proximal > 0) pullRows(rows, touched, rate * proximal);
    stepRows(places, part, rowRate, l2);
    stepLayers(rate / <f32>part, rate * proximal);
  }
  return total;
}

function gatherBatch(positions: usize, count: i32): void {
  let to = batchRows;
  for (let i = 0; i < count; i++) {
    const from = compact + bytesOf(getI32(positions, i) * row);
    for (let at: usize = 0; at < bytesOf(row); at += PAIR) storePair(to + at, v128.load(from + at), v128.load(from + at, 16));
    to += bytesOf(row);
  }
}

/** Splits the merged gradient into those of the three blocks of the first layer; product head and output bias. */
function firstLayerGradients(count: i32): void {
  for (let j = 0; j < productPadded; j += 4) {
    const at = bytesOf(j);
    v128.store(gradients + productHead + at, f32x4.mul(v128.load(person + at), v128.load(productSums + at)));
  }
  let sum: f32 = 0;
  for (let i = 0; i < count; i++) sum += getF32(slopes, i);
  store<f32>(gradients + outputBias, sum);
  if (layers == 0) return;
  const columns = bytesOf(layer(0, PADDED));
  const vectors = layer(0, PADDED) >> 2;
  multiply(person + bytesOf(deepFrom), 4, 0, gradients + firstBias, 0, gradients + personKernel, columns, deepSize, vectors, 1, SET, 0);
  if (products == 0) return;
  for (let i = 0; i < deepSize; i++) {
    const scale = v128.load32_splat(person + bytesOf(deepFrom + i));
    const from = <usize>i * columns;
    for (let at = from; at < from + columns; at += PAIR)
      storePair(
        gradients + productsKernel + at,
        f32x4.mul(scale, v128.load(gradients + itemKernel + at)),
        f32x4.mul(scale, v128.load(gradients + itemKernel + at, 16)),
      );
  }
}

/** Gradient of the deep block of each row of the batch. */
function passToRows(count: i32): void {
  const columns = layer(0, PADDED);
  transpose(layer(0, KERNEL), bytesOf(columns), deepSize, columns, layer(0, TRANSPOSED), bytesOf(deepPadded));
  multiply(layer(0, SLOPE), bytesOf(columns), 4, layer(0, TRANSPOSED), bytesOf(deepPadded), rowGradients + bytesOf(deepFrom), bytesOf(row), count, deepPadded >> 2, layer(0, OUTPUTS), SET, 0);
}

/** Pull of every touched row towards its start (FedProx). */
function pullRows(rows: usize, touched: i32, share: f32): void {
  const shares = f32x4.splat(share);
  // Its sums were used: there is room for a row.
  const start = productSums;
  let at = compact;
  for (let i = 0; i < touched; i++) {
    gatherShared(rows + bytesOf(i), 1, start);
    for (let j: usize = 0; j < bytesOf(row); j += 16) {
      const value = v128.load(at);
      v128.store(at, f32x4.sub(value, f32x4.mul(shares, f32x4.sub(value, v128.load(start + j)))));
      at += 16;
    }
  }
}

/** Steps the rows of a batch; numbers of a row that no layer sees have gradients of zero in `rowGradients`. */
function stepRows(positions: usize, count: i32, rate: f32, l2: f32): void {
  const rates = f32x4.splat(rate);
  const pulls = f32x4.splat(l2);
  let before = batchRows;
  let deep = rowGradients;
  for (let i = 0; i < count; i++) {
    const at = compact + bytesOf(getI32(positions, i) * row);
    const slope = v128.load32_splat(slopes + bytesOf(i));
    for (let j: usize = 0; j < biasSlot(); j += PAIR) {
      const first = f32x4.add(f32x4.mul(slope, v128.load(head + j)), v128.load(deep + j));
      const second = f32x4.add(f32x4.mul(slope, v128.load(head + j, 16)), v128.load(deep + j, 16));
      const pulled = f32x4.add(first, f32x4.mul(pulls, v128.load(before + j)));
      const other = f32x4.add(second, f32x4.mul(pulls, v128.load(before + j, 16)));
      storePair(
        at + j,
        f32x4.sub(v128.load(at + j), f32x4.mul(rates, pulled)),
        f32x4.sub(v128.load(at + j, 16), f32x4.mul(rates, other)),
      );
    }
    store<f32>(at + biasSlot(), load<f32>(at + biasSlot()) - rate * getF32(slopes, i));
    before += bytesOf(row);
    deep += bytesOf(row);
  }
}

function stepLayers(rate: f32, proximal: f32): void {
  const rates = f32x4.splat(rate);
  const pulls = f32x4.splat(proximal);
  for (let at: usize = 0; at < bytesOf(denseFloats); at += PAIR) {
    const first = v128.load(weights + at);
    const second = v128.load(weights + at, 16);
    let next = f32x4.sub(first, f32x4.mul(rates, v128.load(gradients + at)));
    let other = f32x4.sub(second, f32x4.mul(rates, v128.load(gradients + at, 16)));
    if (proximal > 0) {
      next = f32x4.sub(next, f32x4.mul(pulls, f32x4.sub(first, v128.load(starts + at))));
      other = f32x4.sub(other, f32x4.mul(pulls, f32x4.sub(second, v128.load(starts + at, 16))));
    }
    storePair(weights + at, next, other);
  }
}

/** Writes trained minus initial of the touched rows, one behind the other, to `to`, and that of their biases behind them. */
export function packRowDeltas(rows: usize, touched: i32, to: usize): void {
  const biasDeltas = to + bytesOf(touched * width);
  for (let i = 0; i < touched; i++) {
    const item = getI32(rows, i);
    const at = compact + bytesOf(i * row);
    const from = table + bytesOf(item * width);
    subtractRow(to, at, from, productSize);
    if (deepSize > 0 && (productSize == 0 || deepDense > 0))
      subtractRow(to + bytesOf(deepDense), at + bytesOf(deepFrom), from + bytesOf(deepDense), deepSize);
    setF32(biasDeltas, i, load<f32>(at + biasSlot()) - getF32(biases, item));
    to += bytesOf(width);
  }
}

/** Σ x² of `count` numbers in float64: four sums, as packages/base/src/squares.ts has them, to the last bit. */
export function squaresOf(from: usize, count: i32): f64 {
  let ab = f64x2.splat(0);
  let cd = ab;
  let left = count;
  for (; left >= 4; left -= 4) {
    const x = v128.load(from);
    const low = f64x2.promote_low_f32x4(x);
    const high = f64x2.promote_low_f32x4(i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    ab = f64x2.add(ab, f64x2.mul(low, low));
    cd = f64x2.add(cd, f64x2.mul(high, high));
    from += 16;
  }
  let a = f64x2.extract_lane(ab, 0);
  for (; left > 0; left--) {
    const x = <f64>load<f32>(from);
    a += x * x;
    from += 4;
  }
  return a + f64x2.extract_lane(ab, 1) + (f64x2.extract_lane(cd, 0) + f64x2.extract_lane(cd, 1));
}

/** Trained minus initial of one matrix of the layers, without its padding. `within`: bytes from the beginning of the weights. */
export function writeLayerDelta(within: usize, padded: i32, rows: i32, columns: i32, to: usize): void {
  for (let i = 0; i < rows; i++) {
    subtractRow(to, weights + within, starts + within, columns);
    within += bytesOf(padded);
    to += bytesOf(columns);
  }
}
