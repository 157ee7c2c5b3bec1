import { InternalError } from '@tutti/base';

/** Rows and columns that are swept at once: two panels of 32 numbers a row stay in a core's cache. */
const BLOCK = 32;

/** Side of the tiles that {@link subtractProductInPlace} keeps in registers. */
const TILE = 4;

/**
 * Inverts a symmetric positive definite matrix by the blocked sweep operator, in float64: n³/2 multiplications.
 *
 * Sweeping the rows K turns A_KK into −A_KK⁻¹, A_iK into A_iK·A_KK⁻¹ and every other A_ij into A_ij − A_iK·A_KK⁻¹·A_Kj, so that once all
 * rows are swept −A⁻¹ is left. What is not swept yet is a Schur complement, which is positive definite again: no pivoting is
 * needed.
 *
 * @param a n × n, row-major, of which the lower triangle is read; overwritten with its inverse, both triangles.
 * @param onProgress called after each block of rows with the share that is done; what it returns is awaited, so it may let others
 *   have their turn, or throw to stop.
 * @throws {InternalError} if a pivot is not positive.
 * @see Goodnight, A Tutorial on the SWEEP Operator, The American Statistician 1979.
 */
export async function invertSymmetricInPlace(
  a: Float64Array,
  n: number,
  onProgress?: (share: number) => void | Promise<void>,
): Promise<void> {
  for (let start = 0; start < n; start += BLOCK) {
    const width = Math.min(BLOCK, n - start);
    sweepBlockInPlace(a, n, start, width);
    await onProgress?.((start + width) / n);
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) a[j * n + i] = a[i * n + j] = -(a[i * n + j] as number);
  }
}

function sweepBlockInPlace(a: Float64Array, n: number, start: number, width: number): void {
  const columns = columnsOf(a, n, start, width);
  const pivot = pivotInverse(a, n, start, width);
  const scaled = timesPivot(columns, n, pivot, width);
  subtractProductInPlace(a, n, scaled, columns, width);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < width; k++) {
      const at = i < start ? (start + k) * n + i : i * n + start + k;
      a[at] = scaled[packed(i, k, width)] as number;
    }
  }
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) a[(start + i) * n + start + j] = -(pivot[i * width + j] as number);
  }
}

/** Where row i, column k of a panel stands: the four rows of a tile lie side by side. */
const packed = (i: number, k: number, width: number): number =>
  ((i - (i % TILE)) * width + k * TILE + (i % TILE)) | 0;

/** Columns start .. start + width of the symmetric matrix, packed; rows are filled up to whole tiles with zeros. */
function columnsOf(a: Float64Array, n: number, start: number, width: number): Float64Array {
  const panel = new Float64Array(Math.ceil(n / TILE) * TILE * width);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < width; k++) {
      const column = start + k;
      panel[packed(i, k, width)] = (i < column ? a[column * n + i] : a[i * n + column]) as number;
    }
  }
  return panel;
}

/** The inverse of the block on the diagonal, by sweeping one row after the other. */
function pivotInverse(a: Float64Array, n: number, start: number, width: number): Float64Array {
  const block = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      block[i * width + j] = block[j * width + i] = a[(start + i) * n + start + j] as number;
    }
  }
  for (let k = 0; k < width; k++) {
    const pivot = block[k * width + k] as number;
    if (!(pivot > 0)) throw new InternalError(`the matrix is not positive definite: pivot ${pivot}`);
    sweepRowInPlace(block, width, k, pivot);
  }
  return block.map((value) => -value);
}

function sweepRowInPlace(block: Float64Array, width: number, k: number, pivot: number): void {
  const row = block.slice(k * width, (k + 1) * width);
  for (let i = 0; i < width; i++) {
    if (i === k) continue;
    const share = (row[i] as number) / pivot;
    for (let j = 0; j < width; j++) {
      block[i * width + j] = (block[i * width + j] as number) - share * (row[j] as number);
    }
    block[i * width + k] = block[k * width + i] = share;
  }
  block[k * width + k] = -1 / pivot;
}

/** columns · pivot, packed alike. */
function timesPivot(columns: Float64Array, n: number, pivot: Float64Array, width: number): Float64Array {
  const product = new Float64Array(columns.length);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < width; k++) {
      let sum = 0;
      for (let m = 0; m < width; m++) {
        sum += (columns[packed(i, m, width)] as number) * (pivot[m * width + k] as number);
      }
      product[packed(i, k, width)] = sum;
    }
  }
  return product;
}

/** a ← a − left·rightᵀ on the lower triangle; within the tiles on the diagonal the upper one changes too, and is never read. */
function subtractProductInPlace(
  a: Float64Array,
  n: number,
  left: Float64Array,
  right: Float64Array,
  width: number,
): void {
  const whole = n - (n % TILE);
  for (let i = 0; i < whole; i += TILE) {
    for (let j = 0; j <= i; j += TILE) subtractTileInPlace(a, n, i, j, left, right, width);
  }
  for (let i = whole; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < width; k++) {
        sum += (left[packed(i, k, width)] as number) * (right[packed(j, k, width)] as number);
      }
      a[i * n + j] = (a[i * n + j] as number) - sum;
    }
  }
}

/** The tile of four rows from i and four columns from j. Its sums are sixteen variables: an array would leave the registers. */
function subtractTileInPlace(
  a: Float64Array,
  n: number,
  i: number,
  j: number,
  left: Float64Array,
  right: Float64Array,
  width: number,
): void {
  let [s00, s01, s02, s03, s10, s11, s12, s13] = [0, 0, 0, 0, 0, 0, 0, 0];
  let [s20, s21, s22, s23, s30, s31, s32, s33] = [0, 0, 0, 0, 0, 0, 0, 0];
  let p = i * width;
  let q = j * width;
  for (let k = 0; k < width; k++, p += TILE, q += TILE) {
    const l0 = left[p] as number;
    const l1 = left[p + 1] as number;
    const l2 = left[p + 2] as number;
    const l3 = left[p + 3] as number;
    const r0 = right[q] as number;
    const r1 = right[q + 1] as number;
    const r2 = right[q + 2] as number;
    const r3 = right[q + 3] as number;
    s00 += l0 * r0;
    s01 += l0 * r1;
    s02 += l0 * r2;
    s03 += l0 * r3;
    s10 += l1 * r0;
    s11 += l1 * r1;
    s12 += l1 * r2;
    s13 += l1 * r3;
    s20 += l2 * r0;
    s21 += l2 * r1;
    s22 += l2 * r2;
    s23 += l2 * r3;
    s30 += l3 * r0;
    s31 += l3 * r1;
    s32 += l3 * r2;
    s33 += l3 * r3;
  }
  subtractFourInPlace(a, i * n + j, s00, s01, s02, s03);
  subtractFourInPlace(a, (i + 1) * n + j, s10, s11, s12, s13);
  subtractFourInPlace(a, (i + 2) * n + j, s20, s21, s22, s23);
  subtractFourInPlace(a, (i + 3) * n + j, s30, s31, s32, s33);
}

function subtractFourInPlace(
  a: Float64Array,
  at: number,
  s0: number,
  s1: number,
  s2: number,
  s3: number,
): void {
  a[at] = (a[at] as number) - s0;
  a[at + 1] = (a[at + 1] as number) - s1;
  a[at + 2] = (a[at + 2] as number) - s2;
  a[at + 3] = (a[at + 3] as number) - s3;
}
