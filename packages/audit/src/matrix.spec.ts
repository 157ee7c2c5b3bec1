import { seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { addOuterInPlace, eigenSymmetric, identity, product, spectral, times, trace } from './matrix.ts';

const WIDTH = 9;

/** A symmetric matrix with known structure: Σ k·v_k·v_kᵀ over random vectors. */
function symmetric(): Float64Array {
  const random = seededRandom('symmetric');
  const out = new Float64Array(WIDTH * WIDTH);
  for (let k = 1; k <= WIDTH; k++) {
    const vector = Array.from({ length: WIDTH }, () => random.normal());
    addOuterInPlace(out, vector, vector, k - 4);
  }
  return out;
}

const close = (a: Float64Array, b: Float64Array): void =>
  a.forEach((value, i) => expect(value).toBeCloseTo(b[i] as number, 8));

describe('eigenvalues and eigenvectors', () => {
  it('put the matrix together again, and the vectors are orthonormal', () => {
    const matrix = symmetric();
    const before = matrix.slice();
    const { values, vectors } = eigenSymmetric(matrix, WIDTH);
    expect(matrix).toEqual(before);
    close(
      spectral(matrix, WIDTH, (value) => value),
      matrix,
    );
    for (let i = 0; i < WIDTH; i++)
      for (let j = 0; j < WIDTH; j++) {
        let dot = 0;
        for (let k = 0; k < WIDTH; k++)
          dot += (vectors[i * WIDTH + k] as number) * (vectors[j * WIDTH + k] as number);
        expect(dot).toBeCloseTo(i === j ? 1 : 0, 10);
      }
    expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(trace(matrix, WIDTH), 8);
  });

  it('are those of a diagonal matrix, and of [[2, 1], [1, 2]]: 1 and 3', () => {
    expect([...eigenSymmetric(identity(3), 3).values]).toEqual([1, 1, 1]);
    close(eigenSymmetric(Float64Array.of(2, 1, 1, 2), 2).values.sort(), Float64Array.of(1, 3));
  });
});

describe('functions of a matrix', () => {
  it('multiply: the root of the square is the matrix', () => {
    const matrix = symmetric();
    const square = product(matrix, matrix, WIDTH);
    const root = spectral(square, WIDTH, (value) => Math.sqrt(Math.max(0, value)));
    close(product(root, root, WIDTH), square);
  });

  it('apply to a vector as the columns say', () => {
    expect([...times(Float64Array.of(1, 2, 3, 4), [10, 100])]).toEqual([210, 430]);
  });
});
