/**
 * Products of small matrices in tiles of 2 rows × 4 vectors: 8 sums, 4 vectors of B and 2 broadcasts fit 16 registers.
 *
 * Two steps of a sum stand in one turn of the loop, with a way out between them. Without that way out V8 puts all loads of both steps
 * before their sums, which then no longer fit the registers: 27 GFLOP/s, where one step has 36 and two with the exit 43 (of 55).
 */
import { bytesOf, getF32, setF32 } from './memory';

/** C = A·B. */
export const SET: i32 = 0;
/** C = start + A·B, with one row of starts for all rows. */
export const FROM: i32 = 1;
/** C = max(0, start + A·B). pmax(0, x) is x only where 0 < x: no −0 and no NaN come out. */
export const LAYER: i32 = 2;

/** 16 columns of `pairs` pairs of rows. */
function columns16(
  a: usize, rowStep: usize, step: usize,
  b: usize, ldb: usize,
  c: usize, ldc: usize,
  pairs: i32, k: i32,
  mode: i32, start: usize,
): void {
  for (let pair = 0; pair < pairs; pair++) {
    let at = a;
    let bi = b;
    let left = k;
    let s00 = f32x4.splat(0);
    let s01 = f32x4.splat(0);
    let s02 = f32x4.splat(0);
    let s03 = f32x4.splat(0);
    if (mode != SET) {
      s00 = v128.load(start);
      s01 = v128.load(start, 16);
      s02 = v128.load(start, 32);
      s03 = v128.load(start, 48);
    }
    let s10 = s00;
    let s11 = s01;
    let s12 = s02;
    let s13 = s03;
    for (;;) {
      {
        const x0 = v128.load32_splat(at);
        const x1 = v128.load32_splat(at + rowStep);
        const b0 = v128.load(bi);
        const b1 = v128.load(bi, 16);
        const b2 = v128.load(bi, 32);
        const b3 = v128.load(bi, 48);
        s00 = f32x4.add(s00, f32x4.mul(x0, b0));
        s01 = f32x4.add(s01, f32x4.mul(x0, b1));
        s02 = f32x4.add(s02, f32x4.mul(x0, b2));
        s03 = f32x4.add(s03, f32x4.mul(x0, b3));
        s10 = f32x4.add(s10, f32x4.mul(x1, b0));
        s11 = f32x4.add(s11, f32x4.mul(x1, b1));
        s12 = f32x4.add(s12, f32x4.mul(x1, b2));
        s13 = f32x4.add(s13, f32x4.mul(x1, b3));
        at += step;
        bi += ldb;
      }
      if (left == 1) break;
      {
        const x0 = v128.load32_splat(at);
        const x1 = v128.load32_splat(at + rowStep);
        const b0 = v128.load(bi);
        const b1 = v128.load(bi, 16);
        const b2 = v128.load(bi, 32);
        const b3 = v128.load(bi, 48);
        s00 = f32x4.add(s00, f32x4.mul(x0, b0));
        s01 = f32x4.add(s01, f32x4.mul(x0, b1));
        s02 = f32x4.add(s02, f32x4.mul(x0, b2));
        s03 = f32x4.add(s03, f32x4.mul(x0, b3));
        s10 = f32x4.add(s10, f32x4.mul(x1, b0));
        s11 = f32x4.add(s11, f32x4.mul(x1, b1));
        s12 = f32x4.add(s12, f32x4.mul(x1, b2));
        s13 = f32x4.add(s13, f32x4.mul(x1, b3));
        at += step;
        bi += ldb;
      }
      left -= 2;
      if (left == 0) break;
    }
    if (mode == LAYER) {
      const zero = f32x4.splat(0);
      s00 = f32x4.pmax(zero, s00);
      s01 = f32x4.pmax(zero, s01);
      s02 = f32x4.pmax(zero, s02);
      s03 = f32x4.pmax(zero, s03);
      s10 = f32x4.pmax(zero, s10);
      s11 = f32x4.pmax(zero, s11);
      s12 = f32x4.pmax(zero, s12);
      s13 = f32x4.pmax(zero, s13);
    }
    v128.store(c, s00);
    v128.store(c, s01, 16);
    v128.store(c, s02, 32);
    v128.store(c, s03, 48);
    c += ldc;
    v128.store(c, s10);
    v128.store(c, s11, 16);
    v128.store(c, s12, 32);
    v128.store(c, s13, 48);
    c += ldc;
    a += rowStep << 1;
  }
}

/** 4 columns of `pairs` pairs of rows: what 16 columns leave over. */
function columns4(
  a: usize, rowStep: usize, step: usize,
  b: usize, ldb: usize,
  c: usize, ldc: usize,
  pairs: i32, k: i32,
  mode: i32, start: usize,
): void {
  for (let pair = 0; pair < pairs; pair++) {
    let at = a;
    let bi = b;
    let s0 = mode == SET ? f32x4.splat(0) : v128.load(start);
    let s1 = s0;
    for (let i = 0; i < k; i++) {
      const b0 = v128.load(bi);
      s0 = f32x4.add(s0, f32x4.mul(v128.load32_splat(at), b0));
      s1 = f32x4.add(s1, f32x4.mul(v128.load32_splat(at + rowStep), b0));
      at += step;
      bi += ldb;
    }
    if (mode == LAYER) {
      s0 = f32x4.pmax(f32x4.splat(0), s0);
      s1 = f32x4.pmax(f32x4.splat(0), s1);
    }
    v128.store(c, s0);
    c += ldc;
    v128.store(c, s1);
    c += ldc;
    a += rowStep << 1;
  }
}

/**
 * C (rows × 4·vectors) from A (rows × k) and B (k × 4·vectors). Element (i, j) of A stands at a + i·rowStep + j·step bytes,
 * so a transposed A needs no copy; `ldb` and `ldc` are bytes from row to row; k is 1 or more. B and C have whole vectors in each row.
 */
export function multiply(
  a: usize, rowStep: usize, step: usize,
  b: usize, ldb: usize,
  c: usize, ldc: usize,
  rows: i32, vectors: i32, k: i32,
  mode: i32, start: usize,
): void {
  const pairs = rows >> 1;
  columnsOf(a, rowStep, step, b, ldb, c, ldc, pairs, vectors, k, mode, start);
  // A last row is a pair with itself.
  if (rows & 1)
    columnsOf(a + (<usize>pairs << 1) * rowStep, 0, step, b, ldb, c + (<usize>pairs << 1) * ldc, 0, 1, vectors, k, mode, start);
}

function columnsOf(
  a: usize, rowStep: usize, step: usize,
  b: usize, ldb: usize,
  c: usize, ldc: usize,
  pairs: i32, vectors: i32, k: i32,
  mode: i32, start: usize,
): void {
  for (; vectors > 0; vectors -= 4) {
    if (vectors >= 4) columns16(a, rowStep, step, b, ldb, c, ldc, pairs, k, mode, start);
    else
      for (let part: usize = 0; part < <usize>vectors << 4; part += 16)
        columns4(a, rowStep, step, b + part, ldb, c + part, ldc, pairs, k, mode, start + part);
    b += 64;
    c += 64;
    start += 64;
  }
}

/** to (columns × rows, rows from row to row `ldt` bytes) = fromᵀ. */
export function transpose(from: usize, ldf: usize, rows: i32, columns: i32, to: usize, ldt: usize): void {
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    const r0 = from + <usize>i * ldf;
    const r1 = r0 + ldf;
    const r2 = r1 + ldf;
    const r3 = r2 + ldf;
    let j = 0;
    for (; j + 4 <= columns; j += 4) {
      const at = bytesOf(j);
      const a = v128.load(r0 + at);
      const b = v128.load(r1 + at);
      const c = v128.load(r2 + at);
      const d = v128.load(r3 + at);
      const ab0 = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
      const ab1 = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
      const cd0 = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
      const cd1 = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
      const t = to + <usize>j * ldt + bytesOf(i);
      v128.store(t, i8x16.shuffle(ab0, cd0, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
      v128.store(t + ldt, i8x16.shuffle(ab0, cd0, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
      v128.store(t + 2 * ldt, i8x16.shuffle(ab1, cd1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
      v128.store(t + 3 * ldt, i8x16.shuffle(ab1, cd1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
    }
    for (; j < columns; j++) {
      const t = to + <usize>j * ldt;
      setF32(t, i, getF32(r0, j));
      setF32(t, i + 1, getF32(r1, j));
      setF32(t, i + 2, getF32(r2, j));
      setF32(t, i + 3, getF32(r3, j));
    }
  }
  for (; i < rows; i++)
    for (let j = 0; j < columns; j++) setF32(to + <usize>j * ldt, i, getF32(from + <usize>i * ldf, j));
}
