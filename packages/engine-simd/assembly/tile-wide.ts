/**
 * Tiles of 4 rows × 4 vectors, for registers of 256 bits: V8 makes one instruction of two neighbouring vectors, so that 8 sums, 2 vectors of
 * B and 4 broadcasts are in work. It does so where all loads and stores of a tile stand in pairs, unconditionally: 88 GFLOP/s, where tiles of two
 * rows have 74, and some 95 with two steps in a turn and a way out between them, as in tile.ts. Stands in for tile.ts in the wide module
 * (build.mjs); each sum has the same order, so the same bits come out.
 */
import { LAYER } from './modes';

/** Rows of a tile. */
export const ROWS: i32 = 4;

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
    let s00 = v128.load(start);
    let s01 = v128.load(start, 16);
    let s02 = v128.load(start, 32);
    let s03 = v128.load(start, 48);
    let s10 = s00;
    let s11 = s01;
    let s12 = s02;
    let s13 = s03;
    let s20 = s00;
    let s21 = s01;
    let s22 = s02;
    let s23 = s03;
    let s30 = s00;
    let s31 = s01;
    let s32 = s02;
    let s33 = s03;
    for (let left = k;;) {
      {
        const x0 = v128.load32_splat(at);
        const x1 = v128.load32_splat(at + rowStep);
        const x2 = v128.load32_splat(at + 2 * rowStep);
        const x3 = v128.load32_splat(at + 3 * rowStep);
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
        s20 = f32x4.add(s20, f32x4.mul(x2, b0));
        s21 = f32x4.add(s21, f32x4.mul(x2, b1));
        s22 = f32x4.add(s22, f32x4.mul(x2, b2));
        s23 = f32x4.add(s23, f32x4.mul(x2, b3));
        s30 = f32x4.add(s30, f32x4.mul(x3, b0));
        s31 = f32x4.add(s31, f32x4.mul(x3, b1));
        s32 = f32x4.add(s32, f32x4.mul(x3, b2));
        s33 = f32x4.add(s33, f32x4.mul(x3, b3));
        at += step;
        bi += ldb;
    
      }
      if (left == 1) break;
      {
        const x0 = v128.load32_splat(at);
        const x1 = v128.load32_splat(at + rowStep);
        const x2 = v128.load32_splat(at + 2 * rowStep);
        const x3 = v128.load32_splat(at + 3 * rowStep);
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
        s20 = f32x4.add(s20, f32x4.mul(x2, b0));
        s21 = f32x4.add(s21, f32x4.mul(x2, b1));
        s22 = f32x4.add(s22, f32x4.mul(x2, b2));
        s23 = f32x4.add(s23, f32x4.mul(x2, b3));
        s30 = f32x4.add(s30, f32x4.mul(x3, b0));
        s31 = f32x4.add(s31, f32x4.mul(x3, b1));
        s32 = f32x4.add(s32, f32x4.mul(x3, b2));
        s33 = f32x4.add(s33, f32x4.mul(x3, b3));
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
      s20 = f32x4.pmax(zero, s20);
      s21 = f32x4.pmax(zero, s21);
      s22 = f32x4.pmax(zero, s22);
      s23 = f32x4.pmax(zero, s23);
      s30 = f32x4.pmax(zero, s30);
      s31 = f32x4.pmax(zero, s31);
      s32 = f32x4.pmax(zero, s32);
      s33 = f32x4.pmax(zero, s33);
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
    v128.store(c, s20);
    v128.store(c, s21, 16);
    v128.store(c, s22, 32);
    v128.store(c, s23, 48);
    c += ldc;
    v128.store(c, s30);
    v128.store(c, s31, 16);
    v128.store(c, s32, 32);
    v128.store(c, s33, 48);
    c += ldc;
    a += 4 * rowStep;
  }
}

/** 16 columns of one row: a tile with itself would do all of its work as often as a tile has rows. */
export function row16(a: usize, step: usize, b: usize, ldb: usize, c: usize, k: i32, mode: i32, start: usize): void {
  let s0 = v128.load(start);
  let s1 = v128.load(start, 16);
  let s2 = v128.load(start, 32);
  let s3 = v128.load(start, 48);
  for (let i = 0; i < k; i++) {
    const x = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(x, v128.load(b, 16)));
    s2 = f32x4.add(s2, f32x4.mul(x, v128.load(b, 32)));
    s3 = f32x4.add(s3, f32x4.mul(x, v128.load(b, 48)));
    a += step;
    b += ldb;
  }
  if (mode == LAYER) {
    const zero = f32x4.splat(0);
    s0 = f32x4.pmax(zero, s0);
    s1 = f32x4.pmax(zero, s1);
    s2 = f32x4.pmax(zero, s2);
    s3 = f32x4.pmax(zero, s3);
  }
  v128.store(c, s0);
  v128.store(c, s1, 16);
  v128.store(c, s2, 32);
  v128.store(c, s3, 48);
}
