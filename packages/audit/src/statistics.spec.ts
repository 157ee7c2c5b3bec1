import { seededRandom, UsageError } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auc, chanceBound, distance, privateBound } from './statistics.ts';
import { defended, exposed, isAsDocumented } from './types.ts';

describe('auc', () => {
  it('is the share of pairs in the right order, ties half (brute force)', () => {
    const cases = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 1 })), {
      minLength: 2,
      maxLength: 40,
    });
    fc.assert(
      fc.property(cases, (pairs) => {
        const of = (label: number): number[] =>
          pairs.filter(([, own]) => own === label).map(([score]) => score);
        const [negatives, positives] = [of(0), of(1)];
        fc.pre(negatives.length > 0 && positives.length > 0);
        let won = 0;
        for (const p of positives) for (const n of negatives) won += p > n ? 1 : p === n ? 0.5 : 0;
        const [scores, labels] = [pairs.map(([score]) => score), pairs.map(([, label]) => label)];
        expect(auc(scores, labels)).toBeCloseTo(won / (positives.length * negatives.length), 12);
      }),
    );
  });

  it('needs both kinds', () => expect(() => auc([1, 2], [1, 1])).toThrow(UsageError));
});

describe('bounds', () => {
  it('of chance hold for guessing, at the sizes that are used', () => {
    const random = seededRandom('chance');
    for (let trial = 0; trial < 200; trial++) {
      const scores = Array.from({ length: 100 }, () => random.float());
      const labels = scores.map((_, i) => i % 2);
      expect(distance(auc(scores, labels))).toBeLessThanOrEqual(chanceBound(50, 50));
    }
  });

  it('of privacy are those of the two inequalities, from guessing at ε = 0 to certainty', () => {
    expect(privateBound(0, 0)).toBeCloseTo(0.5, 12);
    expect(privateBound(50, 0)).toBeCloseTo(1, 12);
    // One Gaussian release at σ with its analytic (ε, δ) must lie below: its area is Φ(1/(σ√2)).
    expect(privateBound(1, 1e-5)).toBeGreaterThan(0.5747);
    expect(privateBound(1, 1e-5)).toBeCloseTo(Math.E / (1 + Math.E), 4);
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
});
