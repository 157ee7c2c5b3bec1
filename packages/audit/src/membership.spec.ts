import { seededRandom } from '@tutti/base';
import { analyticGaussianSigma } from '@tutti/privacy';
import type { RoundDescription } from '@tutti/protocol';
import { describe, expect, it } from 'vitest';
import { membershipOfPerson } from './membership.ts';

const guarantee = { epsilon: 1, dpDelta: 1e-5 };
const multiplier = analyticGaussianSigma(1, 1e-5);
const cohort = { planned: 16, smallest: 16, largestGroup: 128 };
const devices = 12;

/** A description whose devices add `share` of the noise that they should. */
const described = (share: number): RoundDescription =>
  ({
    clippingNorm: 2,
    scale: { delta: 4_096, weight: 1, metric: 1 },
    cohort,
    noise: {
      mechanism: 'skellam',
      multiplier,
      survivors: devices,
      deltaVariance: (share * multiplier * 8_192) ** 2 / devices,
      metricVariance: 0,
    },
  }) as RoundDescription;

describe('membership of a person', () => {
  const results = membershipOfPerson(described(1), guarantee, seededRandom('canary'));

  it('is certain without noise, and bounded by the guarantee with it', () => {
    expect(results.map(({ verdict }) => verdict)).toEqual(['exposed', 'defended', 'defended']);
    expect(results[0]?.value).toBe(1);
    // The best test between normal worlds 1/z apart gains 2Φ(1/2z) − 1 = 0.1067; 4 deviations of 10,000 trials are 0.028.
    expect(Math.abs((results[1]?.value ?? 0) - 0.1067)).toBeLessThan(0.029);
    expect(results[1]?.figures?.['epsilonAtLeast']).toBeLessThan(1);
  });

  it('measures the noise: worlds are 1/z deviations apart', () => {
    expect(Math.abs((results[2]?.value ?? 0) - 1 / multiplier)).toBeLessThan(0.041);
  });

  it('catches devices that add four fifths of their noise, and a guarantee that does not hold', () => {
    const [, , weak] = membershipOfPerson(described(0.8), guarantee, seededRandom('canary'));
    expect(weak?.verdict).toBe('broken');
    const [, none] = membershipOfPerson(described(0.05), guarantee, seededRandom('canary'));
    expect(none?.verdict).toBe('broken');
    expect(none?.figures?.['epsilonAtLeast']).toBeGreaterThan(1);
  });

  it('says nothing of rounds without noise', () => {
    const without = { ...described(1), noise: { mechanism: 'none' as const } };
    expect(membershipOfPerson(without, guarantee, seededRandom('canary'))).toEqual([]);
  });
});
