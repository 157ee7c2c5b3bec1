import { analyticGaussianEpsilon, normalCdf } from '@tutti/privacy';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asReplacement, largestAdvantage, largestArea, largestTruePositiveRate } from './private-bounds.ts';

describe('what an (ε, δ)-private release allows', () => {
  it('goes from guessing at ε = 0 to certainty', () => {
    const nothing = { epsilon: 0, dpDelta: 0 };
    expect([largestAdvantage(nothing), largestArea(nothing), largestTruePositiveRate(nothing, 0.01)]).toEqual(
      [0, 0.5, 0.01],
    );
    const everything = { epsilon: 50, dpDelta: 0 };
    expect(largestAdvantage(everything)).toBeCloseTo(1, 12);
    expect(largestArea(everything)).toBeCloseTo(1, 12);
    expect(largestTruePositiveRate(everything, 0.01)).toBeCloseTo(1, 12);
  });

  it('is (e^ε − 1 + 2δ)/(e^ε + 1) of advantage: the largest gap between the two lines', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 10, noNaN: true }),
        fc.double({ min: 0, max: 0.1, noNaN: true }),
        (epsilon, dpDelta) => {
          const guarantee = { epsilon, dpDelta };
          let gap = 0;
          for (let i = 0; i <= 10_000; i++)
            gap = Math.max(gap, largestTruePositiveRate(guarantee, i / 10_000) - i / 10_000);
          const corner = (1 - dpDelta) / (1 + Math.exp(epsilon));
          gap = Math.max(gap, largestTruePositiveRate(guarantee, corner) - corner);
          expect(largestAdvantage(guarantee)).toBeCloseTo(gap, 9);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is not less than what the best test between two normal worlds reaches', () => {
    // Worlds 1/z deviations apart: advantage 2Φ(1/2z) − 1, area Φ(1/(z√2)).
    for (const z of [0.5, 1, 2, 3.73]) {
      const guarantee = { epsilon: analyticGaussianEpsilon(z, 1e-5), dpDelta: 1e-5 };
      expect(largestAdvantage(guarantee)).toBeGreaterThan(2 * normalCdf(1 / (2 * z)) - 1);
      expect(largestArea(guarantee)).toBeGreaterThan(normalCdf(1 / (z * Math.SQRT2)));
    }
  });

  it('is two steps for a person who takes part either way', () => {
    const { epsilon, dpDelta } = asReplacement({ epsilon: 1, dpDelta: 1e-5 });
    expect(epsilon).toBe(2);
    expect(dpDelta).toBeCloseTo((1 + Math.E) * 1e-5, 12);
    expect(asReplacement({ epsilon: 20, dpDelta: 1e-5 }).dpDelta).toBe(1);
  });
});
