/** Implicit matrix factorisation: closed-form local solve and rank-one item gradient. packages/model/src/mf.ts defines it. */
import { multiply } from './gemm';
import { bytesOf, copyRow, getF32, getI32, setF32, sumOf } from './memory';
import { SET } from './modes';

/** d, and d rounded up to whole vectors. */
export let dimension: i32 = 0;
export let padded: i32 = 0;
/** Item rows, dense; a block of padded rows; a padded d × d product. */
export let factors: usize = 0;
export let block: usize = 0;
export let product: usize = 0;
/** The person's vector, padded with zeros. */
export let vector: usize = 0;

/** Rows of a block. */
export const BLOCK: i32 = 256;

/** sum += RᵀR (d × d, float64) of the first `count` rows of the block. */
function addGram(count: i32, sum: usize): void {
  multiply(block, 4, bytesOf(padded), block, bytesOf(padded), product, bytesOf(padded), dimension, padded >> 2, count, SET, 0);
  for (let i = 0; i < dimension; i++) addWidened(sum + (<usize>(i * dimension) << 3), product + bytesOf(i * padded));
}

/** to += from: `dimension` float64 and as many float32 numbers. */
// @ts-ignore: decorator
@inline
function addWidened(to: usize, from: usize): void {
  let j = 0;
  for (; j + 2 <= dimension; j += 2) {
    v128.store(to, f64x2.add(v128.load(to), f64x2.promote_low_f32x4(v128.load64_zero(from))));
    to += 16;
    from += 8;
  }
  if (j < dimension) store<f64>(to, load<f64>(to) + <f64>load<f32>(from));
}

/** HᵀH of all `items` rows into `gram` (float64, d × d). */
export function gramOf(items: i32, gram: usize): void {
  memory.fill(gram, 0, (<usize>(dimension * dimension)) << 3);
  for (let first = 0; first < items; first += BLOCK) {
    const count = min(BLOCK, items - first);
    for (let i = 0; i < count; i++) copyRow(block + bytesOf(i * padded), factors + bytesOf((first + i) * dimension), dimension);
    addGram(count, gram);
  }
}

/**
 * Solves (HᵤᵀHᵤ + a0·G + ridge·1)·w = Σ hᵢ over the person's items into `vector`; `left` and `right` are scratch, float64.
 * @returns 0 where the matrix is not positive definite.
 */
export function solveVector(positives: usize, count: i32, gram: usize, a0: f64, ridge: f64, left: usize, right: usize): i32 {
  const d = dimension;
  for (let i = 0; i < d * d; i++) store<f64>(left + (<usize>i << 3), a0 * load<f64>(gram + (<usize>i << 3)));
  memory.fill(right, 0, <usize>d << 3);
  for (let first = 0; first < count; first += BLOCK) {
    const part = min(BLOCK, count - first);
    for (let i = 0; i < part; i++) {
      const from = factors + bytesOf(getI32(positives, first + i) * d);
      copyRow(block + bytesOf(i * padded), from, d);
      addWidened(right, from);
    }
    addGram(part, left);
  }
  for (let i = 0; i < d; i++) {
    const at = left + (<usize>(i * d + i) << 3);
    store<f64>(at, load<f64>(at) + ridge);
  }
  if (!solveInPlace(left, right)) return 0;
  for (let i = 0; i < d; i++) setF32(vector, i, <f32>load<f64>(right + (<usize>i << 3)));
  return 1;
}

/** Σ_{k<n} a_k·b_k in float64, even and odd k apart. */
// @ts-ignore: decorator
@inline
function dotF64(a: usize, b: usize, n: i32): f64 {
  let sums = f64x2.splat(0);
  let k = 0;
  for (; k + 2 <= n; k += 2)
    sums = f64x2.add(sums, f64x2.mul(v128.load(a + (<usize>k << 3)), v128.load(b + (<usize>k << 3))));
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  if (k < n) sum += load<f64>(a + (<usize>k << 3)) * load<f64>(b + (<usize>k << 3));
  return sum;
}

/** Cholesky of `a` (its lower triangle is overwritten), then both substitutions in `b`. */
function solveInPlace(a: usize, b: usize): bool {
  const d = dimension;
  const rowBytes = <usize>d << 3;
  for (let i = 0; i < d; i++) {
    const ri = a + <usize>i * rowBytes;
    for (let j = 0; j < i; j++) {
      const rj = a + <usize>j * rowBytes;
      const at = ri + (<usize>j << 3);
      store<f64>(at, (load<f64>(at) - dotF64(ri, rj, j)) / load<f64>(rj + (<usize>j << 3)));
    }
    const at = ri + (<usize>i << 3);
    const square = load<f64>(at) - dotF64(ri, ri, i);
    if (!(square > 0)) return false;
    store<f64>(at, Math.sqrt(square));
  }
  for (let i = 0; i < d; i++) {
    const ri = a + <usize>i * rowBytes;
    const at = b + (<usize>i << 3);
    store<f64>(at, (load<f64>(at) - dotF64(ri, b, i)) / load<f64>(ri + (<usize>i << 3)));
  }
  for (let i = d - 1; i >= 0; i--) {
    const at = b + (<usize>i << 3);
    const value = load<f64>(at) / load<f64>(a + <usize>i * rowBytes + (<usize>i << 3));
    store<f64>(at, value);
    for (let k = 0; k < i; k++) {
      const other = b + (<usize>k << 3);
      store<f64>(other, load<f64>(other) - load<f64>(a + <usize>i * rowBytes + (<usize>k << 3)) * value);
    }
  }
  return true;
}

// @ts-ignore: decorator
@inline
function dotOne(at: usize, whole: i32): f32 {
  let sum = f32x4.splat(0);
  for (let j = 0; j < whole; j += 4)
    sum = f32x4.add(sum, f32x4.mul(v128.load(at + bytesOf(j)), v128.load(vector + bytesOf(j))));
  let score = sumOf(sum);
  for (let j = whole; j < dimension; j++) score += getF32(at, j) * getF32(vector, j);
  return score;
}

/** Four rows at a time: their vectors of partial sums are added across. The order of additions is that of `dotOne`. */
export function dotRange(first: i32, count: i32, to: usize): void {
  const whole = dimension & ~3;
  const stride = bytesOf(dimension);
  let at = factors + <usize>first * stride;
  let i = 0;
  for (; i + 4 <= count && whole == dimension; i += 4) {
    let a = f32x4.splat(0);
    let b = a;
    let c = a;
    let d = a;
    const r1 = at + stride;
    const r2 = r1 + stride;
    const r3 = r2 + stride;
    for (let j: usize = 0; j < stride; j += 16) {
      const w = v128.load(vector + j);
      a = f32x4.add(a, f32x4.mul(v128.load(at + j), w));
      b = f32x4.add(b, f32x4.mul(v128.load(r1 + j), w));
      c = f32x4.add(c, f32x4.mul(v128.load(r2 + j), w));
      d = f32x4.add(d, f32x4.mul(v128.load(r3 + j), w));
    }
    // Lanes (0 + 2) and (1 + 3) of each, then their sum.
    const ab = f32x4.add(
      i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
      i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
    );
    const cd = f32x4.add(
      i8x16.shuffle(c, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
      i8x16.shuffle(c, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
    );
    v128.store(
      to + bytesOf(i),
      f32x4.add(
        i8x16.shuffle(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
        i8x16.shuffle(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
      ),
    );
    at += stride << 2;
  }
  for (; i < count; i++) {
    setF32(to, i, dotOne(at, whole));
    at += stride;
  }
}

/** Scores of the items named. */
export function dotItems(items: usize, count: i32, to: usize): void {
  for (let i = 0; i < count; i++) setF32(to, i, dotOne(factors + bytesOf(getI32(items, i) * dimension), dimension & ~3));
}

/**
 * Minus half the gradient of the person's loss over the whole table: −c ⊗ w with c = a0·s + 1[i ∈ I_u]·(s − 1).
 * `scores` holds s and becomes c. @returns the loss.
 */
export function rankOneDelta(scores: usize, items: i32, positives: usize, count: i32, a0: f32, delta: usize): f64 {
  let loss: f64 = 0;
  for (let i = 0; i < items; i++) {
    const s = getF32(scores, i);
    loss += <f64>a0 * <f64>s * <f64>s;
    setF32(scores, i, a0 * s);
  }
  for (let i = 0; i < count; i++) {
    const item = getI32(positives, i);
    const s = dotOne(factors + bytesOf(item * dimension), dimension & ~3);
    loss += (<f64>s - 1) * (<f64>s - 1);
    setF32(scores, item, getF32(scores, item) + s - 1);
  }
  const whole = dimension & ~3;
  for (let i = 0; i < items; i++) {
    const scale = -getF32(scores, i);
    const scales = f32x4.splat(scale);
    let j = 0;
    for (; j < whole; j += 4) v128.store(delta + bytesOf(j), f32x4.mul(scales, v128.load(vector + bytesOf(j))));
    for (; j < dimension; j++) setF32(delta, j, scale * getF32(vector, j));
    delta += bytesOf(dimension);
  }
  return loss;
}
