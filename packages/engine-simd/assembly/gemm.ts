/** Products of small matrices in tiles of 2 rows × 4 vectors: 8 sums, 4 vectors of B and 2 broadcasts fit 16 registers. */
import { bytesOf, getF32, setF32 } from './memory';

/** C = A·B. */
export const SET: i32 = 0;
/** C = max(0, `start` + A·B), with one row of starts for all rows. */
export const LAYER: i32 = 1;
/** C += A·B. */
export const ADD: i32 = 2;

// @ts-ignore: decorator
@inline
function begin(mode: i32, start: usize, c: usize, column: usize): v128 {
  if (mode == LAYER) return v128.load(start + column);
  if (mode == ADD) return v128.load(c + column);
  return f32x4.splat(0);
}

// @ts-ignore: decorator
@inline
function end(mode: i32, c: usize, value: v128): void {
  // pmax(0, x) is x only where 0 < x: no −0 and no NaN come out.
  v128.store(c, mode == LAYER ? f32x4.pmax(f32x4.splat(0), value) : value);
}

/** Two rows × 16 columns. */
function tile2x4(a0: usize, a1: usize, step: usize, b: usize, ldb: usize, c: usize, ldc: usize, k: i32, mode: i32, start: usize): void {
  let s00 = begin(mode, start, c, 0);
  let s01 = begin(mode, start, c, 16);
  let s02 = begin(mode, start, c, 32);
  let s03 = begin(mode, start, c, 48);
  let s10 = begin(mode, start, c + ldc, 0);
  let s11 = begin(mode, start, c + ldc, 16);
  let s12 = begin(mode, start, c + ldc, 32);
  let s13 = begin(mode, start, c + ldc, 48);
  for (let i = 0; i < k; i++) {
    const x0 = v128.load32_splat(a0);
    const x1 = v128.load32_splat(a1);
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(b, 32);
    const b3 = v128.load(b, 48);
    s00 = f32x4.add(s00, f32x4.mul(x0, b0));
    s01 = f32x4.add(s01, f32x4.mul(x0, b1));
    s02 = f32x4.add(s02, f32x4.mul(x0, b2));
    s03 = f32x4.add(s03, f32x4.mul(x0, b3));
    s10 = f32x4.add(s10, f32x4.mul(x1, b0));
    s11 = f32x4.add(s11, f32x4.mul(x1, b1));
    s12 = f32x4.add(s12, f32x4.mul(x1, b2));
    s13 = f32x4.add(s13, f32x4.mul(x1, b3));
    a0 += step;
    a1 += step;
    b += ldb;
  }
  end(mode, c, s00);
  end(mode, c + 16, s01);
  end(mode, c + 32, s02);
  end(mode, c + 48, s03);
  c += ldc;
  end(mode, c, s10);
  end(mode, c + 16, s11);
  end(mode, c + 32, s12);
  end(mode, c + 48, s13);
}

/** Two rows × 4 columns, for what 16 columns leave over. */
function tile2x1(a0: usize, a1: usize, step: usize, b: usize, ldb: usize, c: usize, ldc: usize, k: i32, mode: i32, start: usize): void {
  let s0 = begin(mode, start, c, 0);
  let s1 = begin(mode, start, c + ldc, 0);
  for (let i = 0; i < k; i++) {
    const b0 = v128.load(b);
    s0 = f32x4.add(s0, f32x4.mul(v128.load32_splat(a0), b0));
    s1 = f32x4.add(s1, f32x4.mul(v128.load32_splat(a1), b0));
    a0 += step;
    a1 += step;
    b += ldb;
  }
  end(mode, c, s0);
  end(mode, c + ldc, s1);
}

/** One row × 4 columns. */
function tile1x1(a: usize, step: usize, b: usize, ldb: usize, c: usize, k: i32, mode: i32, start: usize): void {
  let sum = begin(mode, start, c, 0);
  for (let i = 0; i < k; i++) {
    sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(a), v128.load(b)));
    a += step;
    b += ldb;
  }
  end(mode, c, sum);
}

/**
 * C (rows × 4·vectors) from A (rows × k) and B (k × 4·vectors). Element (i, j) of A stands at a + i·rowStep + j·step bytes,
 * so a transposed A needs no copy; `ldb` and `ldc` are bytes from row to row. B and C have whole vectors in each row.
 */
export function multiply(
  a: usize, rowStep: usize, step: usize,
  b: usize, ldb: usize,
  c: usize, ldc: usize,
  rows: i32, vectors: i32, k: i32,
  mode: i32, start: usize,
): void {
  let column: usize = 0;
  let left = vectors;
  while (left > 0) {
    const wide = left >= 4;
    let ai = a;
    let ci = c + column;
    let row = 0;
    for (; row + 2 <= rows; row += 2) {
      if (wide) tile2x4(ai, ai + rowStep, step, b + column, ldb, ci, ldc, k, mode, start + column);
      else tile2x1(ai, ai + rowStep, step, b + column, ldb, ci, ldc, k, mode, start + column);
      ai += rowStep << 1;
      ci += ldc << 1;
    }
    if (row < rows) {
      const end = wide ? 64 : 16;
      for (let part = 0; part < end; part += 16)
        tile1x1(ai, step, b + column + part, ldb, ci + part, k, mode, start + column + part);
    }
    column += wide ? 64 : 16;
    left -= wide ? 4 : 1;
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
