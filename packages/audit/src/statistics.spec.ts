import { seededRandom, UsageError } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auc, chanceBound, distance, meanOf, rocCurve, truePositiveRateAt } from './statistics.ts';
import { defended, exposed, isAsDocumented } from './types.ts';

const cases = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 1 })), {
    minLength: 2,
    maxLength: 40,
  })
  .filter((pairs) => new Set(pairs.map(([, label]) => label)).size === 2)
  .map((pairs) => ({ scores: pairs.map(([score]) => score), labels: pairs.map(([, label]) => label) }));

describe('the area under the curve', () => {
  it('is the share of pairs in the right order, ties half (brute force)', () => {
    fc.assert(
      fc.property(cases, ({ scores, labels }) => {
        const of = (label: number): number[] => scores.filter((_, i) => labels[i] === label);
        const [negatives, positives] = [of(0), of(1)];
        let won = 0;
        for (const p of positives) for (const n of negatives) won += p > n ? 1 : p === n ? 0.5 : 0;
        expect(auc(scores, labels)).toBeCloseTo(won / (positives.length * negatives.length), 12);
      }),
    );
  });

  it('is what lies under the ROC curve, which starts at (0, 0) and ends at (1, 1)', () => {
    fc.assert(
      fc.property(cases, ({ scores, labels }) => {
        const curve = rocCurve(scores, labels);
        expect([curve[0], curve.at(-1)]).toEqual([
          [0, 0],
          [1, 1],
        ]);
        let area = 0;
        curve.slice(1).forEach(([x, y], i) => {
          const [before, below] = curve[i] as readonly [number, number];
          area += ((x - before) * (y + below)) / 2;
        });
        expect(area).toBeCloseTo(auc(scores, labels), 12);
      }),
    );
  });

  it('needs both kinds', () => {
    expect(() => auc([1, 2], [1, 1])).toThrow(UsageError);
    expect(() => rocCurve([1, 2], [0, 0])).toThrow(UsageError);
  });
});

describe('the true positive rate at a false positive rate', () => {
  it('counts what is above the lowest threshold that few enough negatives pass', () => {
    const scores = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
    const labels = [1, 1, 0, 1, 0, 0, 1, 0, 0, 0];
    expect(truePositiveRateAt(scores, labels, 0)).toBe(0.5);
    expect(truePositiveRateAt(scores, labels, 1 / 6)).toBe(0.75);
    expect(truePositiveRateAt(scores, labels, 0.5)).toBe(1);
    // A tie of a positive and a negative cannot be told apart.
    expect(truePositiveRateAt([1, 1], [1, 0], 0)).toBe(0);
  });
});

describe('bounds of chance', () => {
  it('hold for guessing, at the sizes that are used', () => {
    const random = seededRandom('chance');
    for (let trial = 0; trial < 200; trial++) {
      const scores = Array.from({ length: 100 }, () => random.float());
      const labels = scores.map((_, i) => i % 2);
      expect(distance(auc(scores, labels))).toBeLessThanOrEqual(chanceBound(50, 50));
    }
  });

  it('come with the deviation of a mean: 2/√n of values with deviation 2', () => {
    const random = seededRandom('mean');
    const values = Array.from({ length: 10_000 }, () => 5 + 2 * random.normal());
    const { mean, deviation } = meanOf(values);
    // Four deviations of the mean, and of the deviation itself (√(1/2n) of it): false alarms below 2e-4.
    expect(Math.abs(mean - 5)).toBeLessThan(0.08);
    expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(0.029);
    expect(meanOf([3])).toEqual({ mean: 3, deviation: 0 });
  });
});

describe('verdicts', () => {
  const of = { name: 'a', defence: 'b', statistic: 'c' };
  it('say whether what is promised is so, both ways', () => {
    expect(defended({ ...of, value: 0.6, bound: 0.6 }).verdict).toBe('defended');
    expect(defended({ ...of, value: 0.61, bound: 0.6 }).verdict).toBe('broken');
    expect(exposed({ ...of, value: 0.99, bound: 0.99 })).toMatchObject({
      verdict: 'exposed',
      defence: 'none',
    });
    expect(exposed({ ...of, value: 0.5, bound: 0.99 }).verdict).toBe('blunt');
    expect(isAsDocumented([exposed({ ...of, value: 1, bound: 1 })])).toBe(true);
    expect(isAsDocumented([defended({ ...of, value: 2, bound: 1 })])).toBe(false);
  });

  it('are never good for a figure that is none', () => {
    expect(defended({ ...of, value: Number.NaN, bound: 1 }).verdict).toBe('broken');
    expect(exposed({ ...of, value: Number.NaN, bound: 1 }).verdict).toBe('blunt');
  });
});
