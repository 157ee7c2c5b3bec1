import { InternalError } from '@tutti/base';

/**
 * Solves A·x = b for a symmetric positive definite A (Cholesky), in float64.
 * @param a d × d, row-major; its lower triangle is overwritten.
 * @param b d numbers; overwritten with x.
 */
export function solvePositiveDefiniteInPlace(a: Float64Array, b: Float64Array): void {
  const d = b.length;
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * d + j] as number;
      for (let k = 0; k < j; k++) sum -= (a[i * d + k] as number) * (a[j * d + k] as number);
      if (i !== j) {
        a[i * d + j] = sum / (a[j * d + j] as number);
        continue;
      }
      if (!(sum > 0)) throw new InternalError('the matrix is not positive definite');
      a[i * d + i] = Math.sqrt(sum);
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
