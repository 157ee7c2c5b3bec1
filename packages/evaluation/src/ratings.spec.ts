import { describe, expect, it } from 'vitest';
import { rootMeanSquareError } from './index.ts';

describe('RMSE', () => {
  it('is the root of the mean square over those who gave a rating', () => {
    const people = [
      { user: 0, score: 4 },
      { user: 2, score: 1 },
      { user: 1, score: 9 },
    ];
    // √((4 − 5)² + (1 − 4)²)/2) = √5; user 1 gave nothing.
    expect(rootMeanSquareError(people, Float32Array.of(5, Number.NaN, 4))).toBeCloseTo(Math.sqrt(5), 12);
  });

  it('is nothing where there are no ratings', () => {
    expect(rootMeanSquareError([{ user: 0, score: 4 }], undefined)).toBeNull();
    expect(rootMeanSquareError([], Float32Array.of(5))).toBeNull();
  });
});
