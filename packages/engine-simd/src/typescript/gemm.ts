import type { Heap } from './heap.ts';

/** What `multiply` begins with and how it ends (assembly/gemm.ts). */
export const SET = 0;
export const LAYER = 1;
export const ADD = 2;
export type Mode = typeof SET | typeof LAYER | typeof ADD;

/** A matrix in the heap: first number, and numbers from row to row and from column to column. */
export interface Matrix {
  readonly at: number;
  readonly rowStep: number;
  readonly step: number;
}

/** A row-major matrix whose rows stand `columns` numbers apart, at a place in bytes. */
export const rowMajor = (place: number, columns: number): Matrix => ({
  at: place >>> 2,
  rowStep: columns,
  step: 1,
});

/** The same matrix, transposed, without a copy. */
export const transposed = ({ at, rowStep, step }: Matrix): Matrix => ({ at, rowStep: step, step: rowStep });

/**
 * C (rows × columns) from A (rows × k) and B (k × columns; B and C have adjacent columns): C = A·B, max(0, start + A·B) or
 * C + A·B. Tiles of 2 × 4 sums stay in registers.
 */
export function multiply(
  { floats }: Heap,
  a: Matrix,
  b: Matrix,
  c: Matrix,
  size: { readonly rows: number; readonly columns: number; readonly k: number },
  mode: Mode,
  start = 0,
): void {
  const { rows, columns, k } = size;
  const startAt = start >>> 2;
  for (let row = 0; row < rows; row += 2) {
    const two = row + 1 < rows;
    const a0 = a.at + row * a.rowStep;
    const a1 = two ? a0 + a.rowStep : a0;
    const c0 = c.at + row * c.rowStep;
    const c1 = two ? c0 + c.rowStep : c0;
    for (let column = 0; column < columns; column += 4) {
      let s00 = 0;
      let s01 = 0;
      let s02 = 0;
      let s03 = 0;
      let s10 = 0;
      let s11 = 0;
      let s12 = 0;
      let s13 = 0;
      let bi = b.at + column;
      for (let i = 0, x = a0, y = a1; i < k; i++, x += a.step, y += a.step, bi += b.rowStep) {
        const x0 = floats[x] as number;
        const x1 = floats[y] as number;
        const b0 = floats[bi] as number;
        const b1 = floats[bi + 1] as number;
        const b2 = floats[bi + 2] as number;
        const b3 = floats[bi + 3] as number;
        s00 += x0 * b0;
        s01 += x0 * b1;
        s02 += x0 * b2;
        s03 += x0 * b3;
        s10 += x1 * b0;
        s11 += x1 * b1;
        s12 += x1 * b2;
        s13 += x1 * b3;
      }
      if (two) putFour(floats, c1 + column, startAt + column, mode, s10, s11, s12, s13);
      putFour(floats, c0 + column, startAt + column, mode, s00, s01, s02, s03);
    }
  }
}

function putFour(
  floats: Float32Array,
  at: number,
  start: number,
  mode: Mode,
  s0: number,
  s1: number,
  s2: number,
  s3: number,
): void {
  const from = mode === LAYER ? start : at;
  const sum = mode !== SET;
  const v0 = sum ? s0 + (floats[from] as number) : s0;
  const v1 = sum ? s1 + (floats[from + 1] as number) : s1;
  const v2 = sum ? s2 + (floats[from + 2] as number) : s2;
  const v3 = sum ? s3 + (floats[from + 3] as number) : s3;
  const relu = mode === LAYER;
  floats[at] = relu && !(v0 > 0) ? 0 : v0;
  floats[at + 1] = relu && !(v1 > 0) ? 0 : v1;
  floats[at + 2] = relu && !(v2 > 0) ? 0 : v2;
  floats[at + 3] = relu && !(v3 > 0) ? 0 : v3;
}
