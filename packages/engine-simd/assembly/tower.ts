/**
 * The neural families: logit = (p ∘ k)·q + b_i + o·MLP(p, q [, p ∘ q]), cross-entropy. packages/model/src/tower.ts defines them.
 *
 * The person's half of the first layer is taken out of the batch: with p fixed in a step, p·Wp is one row, and
 * q·Wq + (p ∘ q)·Wpq = q·M with M = Wq + diag(p)·Wpq. The host lays out the memory and sets the pointers; matrices have whole
 * pairs of vectors in each row, padded with zeros that stay zero.
 */
import { multiply } from './gemm';
import { bytesOf, copyRow, getF32, getI32, PAIR, setF32, storePair, sumOf } from './memory';
import { FROM, LAYER } from './modes';

// Shape, in floats. `width` is a dense row of the shared table; `row` a padded one: product block, deep block, bias.
export let width: i32 = 0;
export let row: i32 = 0;
export let productSize: i32 = 0;
export let productPadded: i32 = 0;
export let deepSize: i32 = 0;
export let deepPadded: i32 = 0;
/** First float of the deep block in a dense and in a padded row; 0 in both where it is the product block. */
export let deepDense: i32 = 0;
export let deepFrom: i32 = 0;
/** Whether the layers see p ∘ q too. */
export let products: i32 = 0;
export let layers: i32 = 0;

// Where things stand, in bytes.
/** Shared item rows and biases, dense. */
export let table: usize = 0;
export let biases: usize = 0;
/** Ten numbers for each layer: see `layer`. */
export let layerRecords: usize = 0;
/** Layers' weights as one block of `denseFloats`; their gradient and their start in the same order. */
export let weights: usize = 0;
export let gradients: usize = 0;
export let starts: usize = 0;
export let denseFloats: i32 = 0;
/** Inside the weights, in bytes from their beginning. */
export let personKernel: usize = 0;
export let itemKernel: usize = 0;
export let productsKernel: usize = 0;
export let firstBias: usize = 0;
export let productHead: usize = 0;
export let outputKernel: usize = 0;
export let outputBias: usize = 0;
/** Scratch: the person, p ∘ k, Σ slope·row, a batch of rows, of gradients, of numbers. */
export let person: usize = 0;
export let head: usize = 0;
export let productSums: usize = 0;
export let batchRows: usize = 0;
export let rowGradients: usize = 0;
export let logits: usize = 0;
export let slopes: usize = 0;
/** Rows that training touches, padded. */
export let compact: usize = 0;

/** Fields of a layer's record. */
export const INPUTS: i32 = 0;
export const OUTPUTS: i32 = 1;
export const PADDED: i32 = 2;
export const KERNEL: i32 = 3;
export const BIAS: i32 = 4;
export const ACTIVATION: i32 = 5;

// @ts-ignore: decorator
@inline
export function layer(index: i32, field: i32): i32 {
  return getI32(layerRecords, 10 * index + field);
}

// @ts-ignore: decorator
@inline
export function biasSlot(): usize {
  return bytesOf(row - 8);
}

/** A dense row as a padded one; the padding must be zero already. */
// @ts-ignore: decorator
@inline
function padRow(to: usize, from: usize): void {
  if (productSize > 0) copyRow(to, from, productSize);
  if (deepSize > 0 && (productSize == 0 || deepDense > 0)) copyRow(to + bytesOf(deepFrom), from + bytesOf(deepDense), deepSize);
}

/** The person's vector from a dense row. */
export function setPerson(from: usize): void {
  padRow(person, from);
}

/** The person's vector as a dense row. */
export function getPerson(to: usize): void {
  copyRow(to, person, productSize);
  if (deepSize > 0) copyRow(to + bytesOf(deepDense), person + bytesOf(deepFrom), deepSize);
}

export function gatherShared(items: usize, count: i32, to: usize): void {
  for (let i = 0; i < count; i++) {
    const item = getI32(items, i);
    padRow(to, table + bytesOf(item * width));
    store<f32>(to + biasSlot(), getF32(biases, item));
    to += bytesOf(row);
  }
}

/** Fills the compact table with the shared rows `rows`. */
export function gatherCompact(rows: usize, count: i32): void {
  gatherShared(rows, count, compact);
}

/** What of the forward pass depends on the person and the weights only. */
export function prepare(): void {
  const w = weights;
  for (let j = 0; j < productPadded; j += 4) {
    const at = bytesOf(j);
    v128.store(head + at, f32x4.mul(v128.load(person + at), v128.load(w + productHead + at)));
  }
  if (layers == 0) return;
  const columns = bytesOf(layer(0, PADDED));
  const bias = <usize>layer(0, BIAS);
  memory.copy(bias, w + firstBias, columns);
  multiply(person + bytesOf(deepFrom), 0, 4, w + personKernel, columns, bias, columns, 1, layer(0, PADDED) >> 2, deepSize, FROM, bias);
  if (products == 0) return;
  const merged = <usize>layer(0, KERNEL);
  for (let i = 0; i < deepSize; i++) {
    const scale = v128.load32_splat(person + bytesOf(deepFrom + i));
    const from = <usize>i * columns;
    for (let at: usize = from; at < from + columns; at += PAIR) {
      const own = w + itemKernel + at;
      const crossed = w + productsKernel + at;
      storePair(
        merged + at,
        f32x4.add(v128.load(own), f32x4.mul(scale, v128.load(crossed))),
        f32x4.add(v128.load(own, 16), f32x4.mul(scale, v128.load(crossed, 16))),
      );
    }
  }
}

/** Logits of `count` rows from `rows` on, `stride` bytes apart, whose deep block and bias stand `deep` bytes and at `bias`. */
export function forward(rows: usize, stride: usize, deep: usize, bias: usize, biasStride: usize, count: i32): void {
  let input = rows + deep;
  let inputStride = stride;
  for (let l = 0; l < layers; l++) {
    const columns = layer(l, PADDED);
    const activation = <usize>layer(l, ACTIVATION);
    multiply(input, inputStride, 4, layer(l, KERNEL), bytesOf(columns), activation, bytesOf(columns), count, columns >> 2, layer(l, INPUTS), LAYER, layer(l, BIAS));
    input = activation;
    inputStride = bytesOf(columns);
  }
  const lastVectors = layers == 0 ? 0 : layer(layers - 1, PADDED);
  const output = weights + outputKernel;
  const constant = load<f32>(weights + outputBias);
  for (let i = 0; i < count; i++) {
    let sum = f32x4.splat(0);
    for (let j = 0; j < productPadded; j += 4)
      sum = f32x4.add(sum, f32x4.mul(v128.load(rows + bytesOf(j)), v128.load(head + bytesOf(j))));
    for (let j = 0; j < lastVectors; j += 4)
      sum = f32x4.add(sum, f32x4.mul(v128.load(input + bytesOf(j)), v128.load(output + bytesOf(j))));
    setF32(logits, i, sumOf(sum) + load<f32>(bias) + constant);
    rows += stride;
    input += inputStride;
    bias += biasStride;
  }
}

/** Prepares scoring for the person that is set. */
export function beginScores(): void {
  memory.copy(weights, starts, bytesOf(denseFloats));
  prepare();
}

/** Logits of items first … first + count − 1, to `to`; count at most the batch that there is room for. */
export function scoreRange(first: i32, count: i32, to: usize): void {
  forward(table + bytesOf(first * width), bytesOf(width), bytesOf(deepDense), biases + bytesOf(first), 4, count);
  memory.copy(to, logits, bytesOf(count));
}

/** Logits of the items named, likewise. */
export function scoreItems(items: usize, count: i32, to: usize): void {
  gatherShared(items, count, batchRows);
  forward(batchRows, bytesOf(row), bytesOf(deepFrom), batchRows + biasSlot(), bytesOf(row), count);
  memory.copy(to, logits, bytesOf(count));
}
