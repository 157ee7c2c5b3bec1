import { UsageError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import {
  analyticGaussianDelta,
  analyticGaussianEpsilon,
  analyticGaussianSigma,
  gaussianRdp,
  rdpToEpsilon,
} from './index.ts';
import { normalCdf, scaledErfc } from './normal.ts';

const relative = (value: number, expected: number): number => Math.abs(value / expected - 1);

describe('the analytic Gaussian (differential-privacy.md, acceptance checks)', () => {
  it.each([
    [1, 1e-5, 4.377178096],
    [2, 1e-6, 2.25408465],
  ])('σ = %d, δ = %d: ε = %d, to the last digit given', (sigma, delta, epsilon) => {
    expect(relative(analyticGaussianEpsilon(sigma, delta), epsilon)).toBeLessThan(3e-10);
  });

  it('ε = 1, δ = 1e-5: σ = 3.730631635', () => {
    expect(relative(analyticGaussianSigma(1, 1e-5), 3.730631635)).toBeLessThan(3e-10);
  });

  it.each([
    [5, 11.5],
    [10, 17.9],
    [30, 37.6],
  ])('z = 1, δ = 1e-5: %d participations cost %d, to the digits given', (times, epsilon) => {
    expect(Math.abs(analyticGaussianEpsilon(1 / Math.sqrt(times), 1e-5) - epsilon)).toBeLessThan(0.05);
  });

  it('ε and σ are inverse to each other, far out too', () => {
    for (const delta of [1e-12, 1e-5, 0.1]) {
      for (const sigma of [0.05, 0.7, 1, 30]) {
        const epsilon = analyticGaussianEpsilon(sigma, delta);
        if (epsilon === 0) continue;
        expect(relative(analyticGaussianSigma(epsilon, delta), sigma)).toBeLessThan(1e-9);
        expect(relative(analyticGaussianDelta(sigma, epsilon), delta)).toBeLessThan(1e-9);
        expect(epsilon).toBeLessThan(rdpToEpsilon(gaussianRdp(sigma), delta).epsilon);
      }
    }
  });

  it('needs no ε where the two laws are within δ of each other', () => {
    expect(analyticGaussianEpsilon(100, 0.1)).toBe(0);
  });

  it.each([
    () => analyticGaussianEpsilon(0, 1e-5),
    () => analyticGaussianEpsilon(1, 0),
    () => analyticGaussianSigma(0, 1e-5),
    () => analyticGaussianSigma(1, 1),
    () => analyticGaussianDelta(1, -1),
  ])('refuses values out of range (%#)', (call) => {
    expect(call).toThrow(UsageError);
  });
});

describe('the normal law', () => {
  // erfc from Abramowitz & Stegun, table 7.1, and DLMF 7.12 beyond it, times exp(x²); recomputed with 50 digits (mpmath).
  it.each([
    [0, 1],
    [0.5, 0.6156903441929258748707934],
    [1, 0.4275835761558070044107503],
    [2, 0.2553956763105057438650886],
    [10, 0.0561409927438225738998],
    [100, 0.00564161378298943290356457],
  ])('exp(x²)·erfc(x) at x = %d', (x, value) => {
    expect(relative(scaledErfc(x), value)).toBeLessThan(4e-15);
  });

  it('Φ has its known values', () => {
    expect(relative(normalCdf(-1.959963984540054), 0.025)).toBeLessThan(1e-13);
    expect(relative(normalCdf(-10), 7.619853024160526e-24)).toBeLessThan(1e-13);
    expect(normalCdf(0)).toBe(0.5);
    expect(normalCdf(1) + normalCdf(-1)).toBe(1);
  });
});
