import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addSums, judge, normalQuantile, type PairedSums, type PromotionPolicy } from './judge.ts';

const policy = (over: Partial<PromotionPolicy> = {}): PromotionPolicy => ({
  ...{ every: 1, canaryShare: 0.2, metric: 'hr@10', margin: 0.02, confidence: 0.95 },
  ...{ minClients: 10, maxRounds: 1, undecided: 'rollback', ...over },
});

/** Sums of hits and misses: d² is |d|. */
const hits = (people: number, gained: number, lost: number): PairedSums => ({
  ...{ people, gained, lost, squared: gained + lost, noise: 0 },
});

describe('quantiles of the normal distribution', () => {
  // Abramowitz & Stegun, table 26.1 read the other way round.
  it.each([
    [0.5, 0],
    [0.975, 1.959963984540054],
    [0.995, 2.5758293035489004],
    [0.9995, 3.2905267314918945],
  ])('%d', (share, deviations) => {
    expect(normalQuantile(share)).toBeCloseTo(deviations, 9);
  });
});

describe('the interval of a paired difference', () => {
  // N = 102; mean 15/102; variance (25 + 1 − 225/102)/102²; half width 1.959964·√23.794118/102 = 1.959964·4.877921/102
  it('is that of Agresti & Min for hits: 100 people, 20 gained, 5 lost', () => {
    const { difference, low, high } = judge(policy(), hits(100, 20, 5), 1);
    expect(difference).toBeCloseTo(15 / 102, 12);
    const half = (1.959963984540054 * Math.sqrt(26 - 225 / 102)) / 102;
    expect(half).toBeCloseTo(0.0937309, 6);
    expect(low).toBeCloseTo(15 / 102 - half, 9);
    expect(high).toBeCloseTo(15 / 102 + half, 9);
  });

  it('shares the error among the looks: of five, each is at 99 %', () => {
    const one = judge(policy({ maxRounds: 5 }), hits(100, 20, 5), 1);
    const half = (2.5758293035489004 * Math.sqrt(26 - 225 / 102)) / 102;
    expect(one.high - one.difference).toBeCloseTo(half, 9);
  });

  it('is wider by the noise: its variance is in both lanes, and in the squares', () => {
    const noise = 9;
    const z = 1.959963984540054;
    const { low, difference } = judge(policy(), { ...hits(100, 20, 5), noise }, 1);
    const squares = 25 + z * Math.sqrt(18);
    expect(difference - low).toBeCloseTo((z * Math.sqrt(squares + 1 - 225 / 102 + 18)) / 102, 9);
  });
});

describe('a verdict', () => {
  it.each([
    ['a better candidate is promoted', hits(400, 60, 10), 1, 'promote'],
    ['an equal one is, once there are enough people for the margin', hits(1_000, 0, 0), 1, 'promote'],
    ['a worse one is rolled back', hits(400, 10, 60), 1, 'rollback'],
    ['one of which little is known goes on', hits(40, 5, 6), 4, 'continue'],
    ['and is undecided after the last look', hits(40, 5, 6), 5, 'undecided'],
    ['too few people decide nothing', hits(9, 9, 0), 1, 'continue'],
    ['nobody does not either', hits(0, 0, 0), 5, 'undecided'],
  ] as const)('%s', (_, sums, looks, verdict) => {
    expect(judge(policy({ maxRounds: 5 }), sums, looks).verdict).toBe(verdict);
  });

  it('waits for people beyond the noise of their number', () => {
    const sums = hits(12, 12, 0);
    expect(judge(policy(), sums, 1).verdict).toBe('promote');
    expect(judge(policy(), { ...sums, noise: 4 }, 1).verdict).toBe('undecided');
  });
});

/** What people found: each d in [−1, 1]. */
const people = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 200 });
const sumsOf = (values: readonly number[], noise = 0): PairedSums => ({
  people: values.length,
  gained: values.reduce((sum, d) => sum + Math.max(0, d), 0),
  lost: values.reduce((sum, d) => sum + Math.max(0, -d), 0),
  squared: values.reduce((sum, d) => sum + d * d, 0),
  noise,
});

describe('laws', () => {
  it('holds the difference, within [−1, 1], and is a mirror image when the two models change places', () => {
    fc.assert(
      fc.property(people, (values) => {
        const one = judge(policy(), sumsOf(values), 1);
        const other = judge(policy(), sumsOf(values.map((d) => -d)), 1);
        expect(one.low).toBeLessThanOrEqual(one.difference);
        expect(one.difference).toBeLessThanOrEqual(one.high);
        expect(one.low).toBeGreaterThanOrEqual(-1);
        expect(one.high).toBeLessThanOrEqual(1);
        expect(one.low).toBeCloseTo(-other.high, 9);
      }),
      { seed: 1 },
    );
  });

  it('looks in any order and cut anywhere come to the same', () => {
    fc.assert(
      fc.property(people, fc.nat(), (values, at) => {
        const cut = at % (values.length + 1);
        const both = addSums(sumsOf(values.slice(cut)), sumsOf(values.slice(0, cut)));
        expect(judge(policy(), both, 1).low).toBeCloseTo(judge(policy(), sumsOf(values), 1).low, 9);
      }),
      { seed: 2 },
    );
  });

  it('is narrower with more people of the same kind, and wider with noise and with more looks', () => {
    fc.assert(
      fc.property(people, fc.double({ min: 0.1, max: 100, noNaN: true }), (values, noise) => {
        const width = (sums: PairedSums, over: Partial<PromotionPolicy> = {}): number => {
          const { low, high } = judge(policy(over), sums, 1);
          return high - low;
        };
        const usual = width(sumsOf(values));
        expect(width(sumsOf([...values, ...values]))).toBeLessThanOrEqual(usual + 1e-12);
        expect(width(sumsOf(values, noise))).toBeGreaterThanOrEqual(usual - 1e-12);
        expect(width(sumsOf(values), { maxRounds: 4 })).toBeGreaterThanOrEqual(usual - 1e-12);
      }),
      { seed: 3 },
    );
  });

  it('never promotes and never rolls back below the fewest people', () => {
    fc.assert(
      fc.property(people, (values) => {
        const { verdict } = judge(policy({ minClients: values.length + 1 }), sumsOf(values), 1);
        expect(verdict).toBe('undecided');
      }),
      { seed: 4 },
    );
  });
});

describe('how often it is wrong', () => {
  it('promotes a candidate that is worse by exactly the margin in at most 1 of 40 trials of five looks', () => {
    // 500 trials, each person ±1 with chances .10 and .12: mean −.02. One in 40 is the bound of the lower ends alone (two-sided 95 %), 12.5
    // of 500 with a deviation of 3.5; 35 are 6.4 deviations above that, a chance below 1e-8, and the stream is fixed.
    let state = 12345;
    const uniform = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32;
    const five = policy({ maxRounds: 5, minClients: 50 });
    let wrong = 0;
    for (let trial = 0; trial < 500; trial++) {
      let sums = hits(0, 0, 0);
      for (let look = 1; look <= 5; look++) {
        let [gained, lost] = [0, 0];
        for (let person = 0; person < 60; person++) {
          const draw = uniform();
          if (draw < 0.1) gained++;
          else if (draw < 0.22) lost++;
        }
        sums = addSums(sums, hits(60, gained, lost));
        const { verdict } = judge(five, sums, look);
        if (verdict === 'promote') wrong++;
        if (verdict !== 'continue') break;
      }
    }
    expect(wrong).toBeLessThan(35);
    expect(wrong).toBeGreaterThan(0);
  });
});
