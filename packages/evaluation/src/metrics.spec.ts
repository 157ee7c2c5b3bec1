import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f1, hitRate, mrr, mrrAt, ndcg, precision, recall } from './metrics.ts';

/** Every metric at k, with its ideal value: that of rank 0. */
const METRICS = [
  ['hit rate', hitRate, () => 1],
  ['NDCG', ndcg, () => 1],
  ['recall', recall, () => 1],
  ['precision', precision, (k: number) => 1 / k],
  ['F1', f1, (k: number) => 2 / (k + 1)],
  ['MRR at k', mrrAt, () => 1],
] as const;

const rank = fc.nat(300);
const length = fc.integer({ min: 1, max: 100 });

describe.each(METRICS)('%s', (_name, metric, ideal) => {
  it('lies within 0 and its ideal, which the first place reaches', () => {
    fc.assert(
      fc.property(rank, length, (r, k) => {
        expect(metric(r, k)).toBeGreaterThanOrEqual(0);
        expect(metric(r, k)).toBeLessThanOrEqual(ideal(k));
        expect(metric(0, k)).toBeCloseTo(ideal(k), 14);
      }),
    );
  });

  it('never rises with the rank, and is 0 from k on', () => {
    fc.assert(
      fc.property(rank, length, (r, k) => {
        expect(metric(r + 1, k)).toBeLessThanOrEqual(metric(r, k));
        expect(metric(k + r, k)).toBe(0);
        expect(metric(Infinity, k)).toBe(0);
      }),
    );
  });
});

describe('metrics and each other', () => {
  it('F1 is the harmonic mean of precision and recall', () => {
    fc.assert(
      fc.property(rank, length, (r, k) => {
        const [p, c] = [precision(r, k), recall(r, k)];
        expect(f1(r, k)).toBeCloseTo(p + c === 0 ? 0 : (2 * p * c) / (p + c), 14);
      }),
    );
  });

  it('MRR ≤ NDCG ≤ hit rate at every k; MRR is not cut off', () => {
    fc.assert(
      fc.property(rank, length, (r, k) => {
        expect(mrrAt(r, k)).toBeLessThanOrEqual(ndcg(r, k) + 1e-15);
        expect(ndcg(r, k)).toBeLessThanOrEqual(hitRate(r, k));
        expect(mrr(r)).toBeGreaterThanOrEqual(mrrAt(r, k));
      }),
    );
  });

  it('fourth place of ten, by hand', () => {
    expect([hitRate(3, 10), recall(3, 10), precision(3, 10), mrrAt(3, 10)]).toEqual([1, 1, 0.1, 0.25]);
    expect(f1(3, 10)).toBeCloseTo((2 * 0.1) / 1.1, 14);
    expect(ndcg(3, 10)).toBeCloseTo(1 / Math.log2(5), 14);
  });
});
