import { InternalError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { inverseOf, positiveDefinite } from '../../test/dense.ts';
import { solvePositiveDefiniteInPlace } from './solve.ts';
import { invertSymmetricInPlace } from './symmetric-inverse.ts';

describe('the inverse of a symmetric positive definite matrix', () => {
  it('of [[4, 2], [2, 3]] is [[3, −2], [−2, 4]] / 8', async () => {
    const a = Float64Array.of(4, 2, 2, 3);
    await invertSymmetricInPlace(a, 2);
    [3 / 8, -2 / 8, -2 / 8, 4 / 8].forEach((value, at) => expect(a[at]).toBeCloseTo(value, 14));
  });

  // Around the sides of a tile (4) and of a block (32).
  it.each([1, 2, 3, 4, 5, 7, 31, 32, 33, 64, 70, 97])('of side %d agrees with elimination', async (n) => {
    const matrix = positiveDefinite(n, `side ${n}`);
    const expected = inverseOf(matrix).flat();
    // What stands above the diagonal must not matter.
    const a = Float64Array.from(matrix.flatMap((row, i) => row.map((value, j) => (j > i ? NaN : value))));
    await invertSymmetricInPlace(a, n);
    a.forEach((value, at) => expect(value).toBeCloseTo(expected[at]!, 9));
  });

  it('twice gives the matrix back', async () => {
    const matrix = positiveDefinite(50, 'twice').flat();
    const a = Float64Array.from(matrix);
    await invertSymmetricInPlace(a, 50);
    await invertSymmetricInPlace(a, 50);
    a.forEach((value, at) => expect(value).toBeCloseTo(matrix[at]!, 7));
  });

  it('tells how far it is, and can be stopped', async () => {
    const shares: number[] = [];
    const identity = Float64Array.from({ length: 80 * 80 }, (_, at) => (at % 81 === 0 ? 1 : 0));
    await invertSymmetricInPlace(identity, 80, (share) => void shares.push(share));
    expect(shares).toEqual([32 / 80, 64 / 80, 1]);
    const stop = invertSymmetricInPlace(identity, 80, () => Promise.reject(new Error('stopped')));
    await expect(stop).rejects.toThrow('stopped');
  });

  it('is refused where there is none', async () => {
    await expect(invertSymmetricInPlace(Float64Array.of(1, 2, 2, 1), 2)).rejects.toThrow(InternalError);
    await expect(invertSymmetricInPlace(Float64Array.of(Number.NaN), 1)).rejects.toThrow('pivot NaN');
  });
});

describe('a positive definite system', () => {
  it.each([1, 2, 5, 20])('of side %d is solved', (n) => {
    const matrix = positiveDefinite(n, `solve ${n}`);
    const x = Float64Array.from({ length: n }, (_, i) => i - 2);
    const b = Float64Array.from(matrix, (row) => row.reduce((sum, value, j) => sum + value * x[j]!, 0));
    solvePositiveDefiniteInPlace(Float64Array.from(matrix.flat()), b);
    b.forEach((value, i) => expect(value).toBeCloseTo(x[i]!, 9));
  });

  it('is refused where it is not positive definite', () => {
    expect(() => solvePositiveDefiniteInPlace(Float64Array.of(-1), Float64Array.of(1))).toThrow(
      InternalError,
    );
  });
});
