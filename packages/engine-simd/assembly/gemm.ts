/** Products of small matrices, in tiles of as many rows as the registers hold (tile.ts) and 4 vectors. */
import { bytesOf, getF32, setF32 } from './memory';
import { LAYER, SET } from './modes';
import { columns16, row16, ROWS } from './tile';

/** Sixteen zeros that sums may start from, in the bytes that the host leaves free. */
const ZEROS: usize = 16;

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
    let s0 = v128.load(start);
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
  const tiles = rows / ROWS;
  if (tiles > 0) columnsOf(a, rowStep, step, b, ldb, c, ldc, tiles, tiles * (ROWS >> 1), vectors, k, mode, start);
  // A row that is left over stands alone; of columns that are left over of it, a pair with itself: one, for C may be where it starts from.
  for (let i = tiles * ROWS; i < rows; i++)
    columnsOf(a + <usize>i * rowStep, 0, step, b, ldb, c + <usize>i * ldc, 0, 1, 1, vectors, k, mode, start);
}

function columnsOf(
  a: usize, rowStep: usize, step: usize,
  b: usize, ldb: usize,
  c: usize, ldc: usize,
  tiles: i32, pairs: i32, vectors: i32, k: i32,
  mode: i32, start: usize,
): void {
  const isSet = mode == SET;
  if (isSet) start = ZEROS;
  for (; vectors >= 4; vectors -= 4) {
    if (rowStep == 0) row16(a, step, b, ldb, c, k, mode, start);
    else columns16(a, rowStep, step, b, ldb, c, ldc, tiles, k, mode, start);
    b += 64;
    c += 64;
    start += isSet ? 0 : 64;
  }
  for (; vectors > 0; vectors--) {
    columns4(a, rowStep, step, b, ldb, c, ldc, pairs, k, mode, start);
    b += 16;
    c += 16;
    start += isSet ? 0 : 16;
  }
}

/** to (columns × rows, rows from row to row `ldt` bytes) = fromᵀ; columns are whole vectors. */
export function transpose(from: usize, ldf: usize, rows: i32, columns: i32, to: usize, ldt: usize): void {
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    const r0 = from + <usize>i * ldf;
    const r1 = r0 + ldf;
    const r2 = r1 + ldf;
    const r3 = r2 + ldf;
    for (let j = 0; j < columns; j += 4) {
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
  }
  for (; i < rows; i++)
    for (let j = 0; j < columns; j++) setF32(to + <usize>j * ldt, i, getF32(from + <usize>i * ldf, j));
}
