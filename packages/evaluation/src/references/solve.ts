import { InternalError } from '@tutti/base';

/**
 * Solves A·x = b for a symmetric positive definite A (Cholesky), in float64.
 * @param a d × d, row-major, of which the lower triangle is read; overwritten.
 * @param b d numbers; overwritten with x.
 * @throws {InternalError} if A is not positive definite.
 */
export function solvePositiveDefiniteInPlace(a: Float64Array, b: Float64Array): void {
  const d = b.length;
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      const sum = (a[i * d + j] as number) - rowProduct(a, i * d, j * d, j);
      if (i !== j) a[i * d + j] = sum / (a[j * d + j] as number);
      else if (sum > 0) a[i * d + i] = Math.sqrt(sum);
      else throw new InternalError(`the matrix is not positive definite: pivot ${sum}`);
    }
  }
  for (let i = 0; i < d; i++) {
    let sum = b[i] as number;
    for (let k = 0; k < i; k++) sum -= (a[i * d + k] as number) * (b[k] as number);
    b[i] = sum / (a[i * d + i] as number);
  }
  for (let i = d - 1; i >= 0; i--) {
    let sum = b[i] as number;
    for (let k = i + 1; k < d; k++) sum -= (a[k * d + i] as number) * (b[k] as number);
    b[i] = sum / (a[i * d + i] as number);
  }
}

/** Σ a_(p+k)·a_(q+k) over k < count. */
function rowProduct(a: Float64Array, p: number, q: number, count: number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += (a[p + k] as number) * (a[q + k] as number);
  return sum;
}
