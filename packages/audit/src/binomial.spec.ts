import { UsageError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { incompleteBeta, logGamma, shareInterval } from './binomial.ts';

/** P[X ≥ k] of n tries at p, term by term. */
function atLeast(k: number, n: number, p: number): number {
  let sum = 0;
  for (let i = k; i <= n; i++) {
    let term = 1;
    for (let j = 0; j < i; j++) term *= ((n - j) / (i - j)) * p;
    sum += term * (1 - p) ** (n - i);
  }
  return sum;
}

describe('the interval of a share', () => {
  it.each([
    [5, 10, 0.1871, 0.8129],
    [0, 10, 0, 0.3085],
    [10, 10, 0.6915, 1],
    [1, 100, 0.0003, 0.0545],
  ])('of %i in %i at 95 % is that of the tables', (hits, trials, low, high) => {
    const interval = shareInterval(hits, trials, 0.025);
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });

  it('of none is known in closed form: 1 − tail^(1/n)', () => {
    expect(shareInterval(0, 20_000, 1e-5)[1]).toBeCloseTo(1 - 1e-5 ** (1 / 20_000), 9);
  });

  it('refuses what is no share', () => {
    for (const [hits, trials, tail] of [
      [3, 2, 0.1],
      [-1, 2, 0.1],
      [1, 0, 0.1],
      [1, 2, 0.6],
      [0.5, 2, 0.1],
    ] as const)
      expect(() => shareInterval(hits, trials, tail)).toThrow(UsageError);
  });
});

describe('the incomplete beta function', () => {
  it('sums binomial tails (term by term)', () => {
    for (const n of [1, 5, 17, 40])
      for (const p of [0.01, 0.3, 0.5, 0.77, 0.99])
        for (let k = 1; k <= n; k++)
          expect(incompleteBeta(p, k, n - k + 1)).toBeCloseTo(atLeast(k, n, p), 10);
  });

  it('rests on ln Γ: factorials, and Γ(1.5) = √π/2', () => {
    expect(logGamma(1)).toBeCloseTo(0, 11);
    expect(logGamma(6)).toBeCloseTo(Math.log(120), 11);
    expect(logGamma(1.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI) / 2), 11);
    expect(logGamma(101)).toBeCloseTo(363.73937555556349014, 9);
  });
});
