import { UsageError } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adaptiveNoise, CLIP_LEARNING_RATE, nextClippingNorm } from './adaptive-clip.ts';

const median = { quantile: 0.5, learningRate: CLIP_LEARNING_RATE };

describe('the noise of adaptive clipping', () => {
  it('is σ_b = m/20 and z_Δ = (z⁻² − (2σ_b)⁻²)^(−1/2)', () => {
    // Andrew et al. 2021: m = 100, z = 1: σ_b = 5, z_Δ = (1 − 1/100)^(−1/2).
    const { indicatorStddev, deltaMultiplier } = adaptiveNoise(1, 100);
    expect(indicatorStddev).toBe(5);
    expect(deltaMultiplier).toBeCloseTo(0.99 ** -0.5, 14);
  });

  it('costs together what z alone would: 1/z² is the sum of both (property)', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 9.9, noNaN: true }),
        fc.integer({ min: 100, max: 1_000_000 }),
        (z, m) => {
          const { indicatorStddev, deltaMultiplier } = adaptiveNoise(z, m);
          expect(deltaMultiplier ** -2 + (indicatorStddev / 0.5) ** -2).toBeCloseTo(z ** -2, 8);
          expect(deltaMultiplier).toBeGreaterThanOrEqual(z);
        },
      ),
    );
  });

  it.each([
    [10, 100],
    [11, 100],
    [1, 10],
  ])('has no solution for z = %d and m = %d: z ≥ m/10', (z, m) => {
    expect(() => adaptiveNoise(z, m)).toThrow(`below ${m / 10} is needed`);
  });

  it.each([
    [0, 100],
    [1, 0],
    [1, 1.5],
  ])('refuses z = %d, m = %d', (z, m) => {
    expect(() => adaptiveNoise(z, m)).toThrow(UsageError);
  });
});

describe('the next clipping norm', () => {
  it('is C·exp(−0.2·(b̄ − γ))', () => {
    expect(nextClippingNorm(3, 0.5, median)).toBe(3);
    expect(nextClippingNorm(3, 1, median)).toBeCloseTo(3 * Math.exp(-0.1), 14);
    expect(nextClippingNorm(3, 0, median)).toBeCloseTo(3 * Math.exp(0.1), 14);
    expect(nextClippingNorm(3, 0.5, { quantile: 0.9, learningRate: 0.1 })).toBeCloseTo(
      3 * Math.exp(0.04),
      14,
    );
  });

  it('takes a share that noise carried out of [0, 1] for the nearest', () => {
    expect(nextClippingNorm(1, 1.7, median)).toBe(nextClippingNorm(1, 1, median));
    expect(nextClippingNorm(1, -3, median)).toBe(nextClippingNorm(1, 0, median));
  });

  it.each([0.1, 100])('finds the quantile of fixed norms from %d, without noise', (start) => {
    const norms = Array.from({ length: 1_000 }, (_, i) => 1 + i / 100); // 1 … 10.99
    for (const quantile of [0.2, 0.5, 0.8]) {
      let clip = start;
      for (let round = 0; round < 400; round++) {
        const unclipped = norms.filter((norm) => norm <= clip).length / norms.length;
        clip = nextClippingNorm(clip, unclipped, { quantile, learningRate: CLIP_LEARNING_RATE });
      }
      expect(Math.abs(clip - (1 + 10 * quantile))).toBeLessThan(0.1);
    }
  });

  it.each<[number, number, number, number]>([
    [0, 0.5, 0.5, 0.2],
    [1, Number.NaN, 0.5, 0.2],
    [1, 0.5, 0, 0.2],
    [1, 0.5, 1, 0.2],
    [1, 0.5, 0.5, 0],
  ])('refuses C = %d, b̄ = %d, γ = %d, η = %d', (clip, share, quantile, learningRate) => {
    expect(() => nextClippingNorm(clip, share, { quantile, learningRate })).toThrow(UsageError);
  });
});
