/**
 * Tiles of 2 rows × 4 vectors: 8 sums, 4 vectors of B and 2 broadcasts fit 16 registers of 128 bits.
 *
 * Two steps of a sum stand in one turn of the loop, with a way out between them. Without that way out V8 puts all loads of both steps
 * before their sums, which then no longer fit the registers: 27 GFLOP/s, where one step has 36 and two with the exit 43 (of 55).
 */
import { LAYER } from './modes';

/** Rows of a tile. */
export const ROWS: i32 = 2;

/** 16 columns of `tiles` tiles of rows: see `multiply` in gemm.ts. */
export function columns16(
  a: usize, rowStep: usize, step: usize,
  b: usize, ldb: usize,
  c: usize, ldc: usize,
  tiles: i32, k: i32,
  mode: i32, start: usize,
): void {
  for (let tile = 0; tile < tiles; tile++) {
    let at = a;
    let bi = b;
    let left = k;
    let s00 = v128.load(start);
    let s01 = v128.load(start, 16);
    let s02 = v128.load(start, 32);
    let s03 = v128.load(start, 48);
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
    a += 2 * rowStep;
  }
}

/** 16 columns of one row: a tile with itself. */
export function row16(a: usize, step: usize, b: usize, ldb: usize, c: usize, k: i32, mode: i32, start: usize): void {
  columns16(a, 0, step, b, ldb, c, 0, 1, k, mode, start);
}
