import { UsageError } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountPlan, calibratePlan, type ReleasePlan } from './account.ts';
import { analyticGaussianEpsilon } from './gaussian.ts';

const gaussian = { mechanism: 'gaussian' } as const;
const plan = (over: Partial<ReleasePlan>): ReleasePlan => ({
  noise: gaussian,
  rounds: 1,
  sampling: 1,
  dpDelta: 1e-5,
  ...over,
});

describe('accountPlan', () => {
  it('gives the reference values of every mechanism', () => {
    // differential-privacy: exact, Google dp_accounting, 50 digits, Google, analytic.
    const sampled = accountPlan(plan({ rounds: 2250, sampling: 0.04 }), 1.5);
    expect(sampled.rdp.epsilon).toBeCloseTo(7.329876774, 8);
    expect(sampled.rdp.order).toBe(4);
    expect(accountPlan(plan({ rounds: 2249, sampling: 0.04 }), 1.5).pld.epsilon).toBeCloseTo(6.767051, 3);
    const skellam = { mechanism: 'skellam', scaledClip: 16, dimension: 256 } as const;
    const small = accountPlan(plan({ noise: skellam, rounds: 10, dpDelta: 1e-6 }), 2);
    expect(small.rdp.epsilon).toBeCloseTo(8.85691587207, 9);
    expect(small.pld.epsilon).toBeNull();
    const tree = { mechanism: 'tree', stepsPerTree: 1600, trees: 1 } as const;
    const one = accountPlan(plan({ noise: tree, dpDelta: 1e-6 }), 8.83);
    expect(one.rdp.epsilon).toBeCloseTo(1.77319244962, 9);
    expect(accountPlan(plan({ dpDelta: 1e-6 }), 2).unamplified.epsilon).toBeCloseTo(2.25408465, 7);
    expect(accountPlan(plan({}), 1).unamplified.epsilon).toBeCloseTo(4.377178096, 8);
  });

  it('counts what a user does in a tree: once, or as often as cap and separation allow', () => {
    const tree = { mechanism: 'tree', stepsPerTree: 64, trees: 4 } as const;
    const at = (over: Partial<ReleasePlan>) =>
      accountPlan(plan({ noise: tree, ...over }), 8).unamplified.epsilon;
    expect(at({})).toBe(analyticGaussianEpsilon(8 / Math.sqrt(4 * 7), 1e-5));
    expect(at({ participations: 2 })).toBe(analyticGaussianEpsilon(8 / Math.sqrt(2 * 7), 1e-5));
    // Twice in one tree, 32 rounds apart: in different halves, so that only the root holds both: 2 · 6 + 2².
    const near = { ...tree, trees: 1, separation: 32 };
    expect(at({ noise: near })).toBe(analyticGaussianEpsilon(8 / Math.sqrt(2 * 6 + 4), 1e-5));
    expect(at({ noise: near, participations: 1 })).toBe(analyticGaussianEpsilon(8 / Math.sqrt(7), 1e-5));
  });

  it('takes a banded matrix for one Gaussian release of its sensitivity', () => {
    const banded = { mechanism: 'banded', coefficients: [64, 32, 24], separation: 10 } as const;
    const own = (1 + 32 ** 2 / 64 ** 2 + 24 ** 2 / 64 ** 2) * 5;
    const account = accountPlan(plan({ noise: banded, rounds: 50 }), 4);
    expect(account.unamplified.epsilon).toBe(analyticGaussianEpsilon(4 / Math.sqrt(own), 1e-5));
    expect(account.pld.epsilon).toBe(account.unamplified.epsilon);
    expect(account.rdp.epsilon).toBeGreaterThan(account.unamplified.epsilon);
    const [one, independent] = [{ ...banded, coefficients: [1], separation: 1 }, gaussian].map(
      (noise) => accountPlan(plan({ noise, rounds: 50, participations: 9 }), 4).unamplified.epsilon,
    );
    expect(one).toBe(independent);
  });

  it('counts no more rounds of one user than it takes part in, against readers and coordinator alike', () => {
    const whole = accountPlan(plan({ rounds: 30 }), 1);
    const capped = accountPlan(plan({ rounds: 30, participations: 5 }), 1);
    expect(whole.unamplified.epsilon).toBeCloseTo(37.6, 1);
    expect(capped.unamplified.epsilon).toBeCloseTo(11.5, 1);
    expect(capped.pld.epsilon).toBe(capped.unamplified.epsilon);
    expect(capped.rdp.epsilon).toBeLessThan(whole.rdp.epsilon);
  });

  it('never says less than the exact value by RDP, and never more when there is more noise', () => {
    const z = fc.double({ min: 0.5, max: 20, noNaN: true });
    fc.assert(
      fc.property(z, fc.integer({ min: 1, max: 40 }), (noise, rounds) => {
        const account = accountPlan(plan({ rounds }), noise);
        expect(account.rdp.epsilon).toBeGreaterThanOrEqual(account.unamplified.epsilon);
        expect(accountPlan(plan({ rounds }), noise * 1.1).unamplified.epsilon).toBeLessThan(
          account.unamplified.epsilon,
        );
      }),
    );
  });

  it.each<[string, Partial<ReleasePlan>, number]>([
    ['no noise', {}, 0],
    ['δ of 1', { dpDelta: 1 }, 1],
    ['a rate of 0', { sampling: 0 }, 1],
    ['half a round', { rounds: 1.5 }, 1],
    ['no participation', { participations: 0 }, 1],
    ['sampled trees', { noise: { mechanism: 'tree', stepsPerTree: 4, trees: 1 }, sampling: 0.1 }, 1],
    ['a clip of 0', { noise: { mechanism: 'skellam', scaledClip: 0, dimension: 4 } }, 1],
  ])('refuses %s', (_, over, z) => {
    expect(() => accountPlan(plan(over), z)).toThrow(UsageError);
  });
});

describe('calibratePlan', () => {
  it('finds the least noise, for every mechanism', () => {
    const z = calibratePlan(plan({ rounds: 300, sampling: 100 / 6040 }), 8);
    expect(z).toBeCloseTo(0.579266, 4);
    for (const over of [
      { rounds: 10, participations: 3 },
      { noise: { mechanism: 'tree', stepsPerTree: 64, trees: 2 } as const },
      { noise: { mechanism: 'banded', coefficients: [64, 32], separation: 4 } as const, rounds: 20 },
      {
        noise: { mechanism: 'skellam', scaledClip: 1024, dimension: 64 } as const,
        rounds: 10,
        sampling: 0.1,
      },
    ]) {
      const found = calibratePlan(plan(over), 2);
      const at = (noise: number): number => {
        const { pld, rdp } = accountPlan(plan(over), noise);
        return pld.epsilon ?? rdp.epsilon;
      };
      expect(at(found)).toBeLessThanOrEqual(2);
      expect(at(found * 0.999)).toBeGreaterThan(2);
    }
  });
});
