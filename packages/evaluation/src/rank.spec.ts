import { UsageError } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hitRate, mrr, ndcg, precision, recall } from './metrics.ts';
import { rankFull, rankHeldOut, rankOf, topItems } from './rank.ts';

const ints = (...all: readonly number[]): Int32Array => Int32Array.from(all);

describe('metrics of one rank', () => {
  it.each([
    // rank, k, HR, NDCG = log 2 / log(rank + 2), precision, reciprocal rank
    [0, 10, 1, 1, 0.1, 1],
    [1, 10, 1, Math.log(2) / Math.log(3), 0.1, 1 / 2],
    [2, 10, 1, 0.5, 0.1, 1 / 3],
    [9, 10, 1, 0.2890648263, 0.1, 1 / 10],
    [10, 10, 0, 0, 0, 1 / 11],
    [0, 1, 1, 1, 1, 1],
    [1, 1, 0, 0, 0, 1 / 2],
    [0, 0, 0, 0, 0, 1],
    [Number.POSITIVE_INFINITY, 10, 0, 0, 0, 0],
  ])('rank %d, k = %d', (rank, k, hr, gain, part, reciprocal) => {
    expect(hitRate(rank, k)).toBe(hr);
    expect(recall(rank, k)).toBe(hr);
    expect(ndcg(rank, k)).toBeCloseTo(gain, 10);
    expect(precision(rank, k)).toBeCloseTo(part, 12);
    expect(mrr(rank)).toBeCloseTo(reciprocal, 12);
  });

  it('equal DCG over ideal DCG, by the definition', () => {
    for (let rank = 0; rank < 15; rank++) {
      const gains = Array.from({ length: 10 }, (_, place) => (place === rank ? 1 : 0) / Math.log2(place + 2));
      const ideal = 1 / Math.log2(2);
      expect(ndcg(rank, 10)).toBeCloseTo(gains.reduce((sum, gain) => sum + gain, 0) / ideal, 12);
    }
  });
});

describe('the rank of a held-out item', () => {
  const scores = Float32Array.of(0.1, 0.9, 0.5, 0.5, 0.7);

  it.each([
    ['counts what is above', 2, ints(0, 1, 4), 2],
    ['counts ties against it', 2, ints(0, 3), 1],
    ['drops a negative that repeats it', 2, ints(2, 2, 1, 2), 1],
    ['is 0 with nobody to beat it', 2, ints(), 0],
    ['is first where all are below', 1, ints(0, 2, 3, 4), 0],
    ['counts a negative without a score against it', 1, ints(99), 1],
  ])('%s', (_name, positive, negatives, rank) => {
    expect(rankHeldOut({ scores, positive, negatives })).toBe(rank);
  });

  it('is the last for a constant model, and for one that is broken', () => {
    for (const value of [0, Number.NaN]) {
      const flat = new Float32Array(100).fill(value);
      const negatives = Int32Array.from({ length: 99 }, (_, n) => n);
      expect(rankHeldOut({ scores: flat, positive: 99, negatives })).toBe(99);
      expect(rankOf(flat, 99)).toBe(99);
      expect(rankFull({ scores: flat, positive: 99, exclude: ints() })).toBe(99);
    }
  });

  it('counts a negative whose score is no number against it', () => {
    expect(rankHeldOut({ scores: Float32Array.of(1, Number.NaN), positive: 0, negatives: ints(1) })).toBe(1);
  });

  it('among everything leaves out what was trained on, once, and never itself', () => {
    expect(rankFull({ scores, positive: 2, exclude: ints() })).toBe(3);
    expect(rankFull({ scores, positive: 2, exclude: ints(1) })).toBe(2);
    expect(rankFull({ scores, positive: 2, exclude: ints(1, 1, 1) })).toBe(2);
    expect(rankFull({ scores, positive: 2, exclude: ints(0, 1, 2, 3, 4) })).toBe(0);
  });

  it.each([[5], [-1], [1.5], [Number.NaN]])('refuses item %d, which has no score', (positive) => {
    const calls = [
      () => rankHeldOut({ scores, positive, negatives: ints(0) }),
      () => rankFull({ scores, positive, exclude: ints() }),
      () => rankOf(scores, positive),
    ];
    for (const call of calls) {
      expect(call).toThrow(UsageError);
      expect(call).toThrow(`the held-out item is ${positive}; there are scores for items 0 to 4`);
    }
  });

  it('is the same by three ways of asking, and by sorting; nothing is changed', () => {
    const few = fc.float({ min: -2, max: 2, noNaN: true }).map((score) => Math.round(score * 2) / 2); // many ties
    fc.assert(
      fc.property(fc.array(few, { minLength: 1, maxLength: 40 }), fc.nat(), (all, pick) => {
        const given = Float32Array.from(all);
        const positive = pick % all.length;
        const others = Int32Array.from(given.keys()).filter((item) => item !== positive);
        // Slow and plain: best first, and of equal scores the held-out item last.
        const order = Array.from(given.keys()).sort(
          (a, b) => given[b]! - given[a]! || Number(a === positive) - Number(b === positive),
        );
        const rank = order.indexOf(positive);
        expect(rankOf(given, positive)).toBe(rank);
        expect(rankHeldOut({ scores: given, positive, negatives: others })).toBe(rank);
        expect(rankFull({ scores: given, positive, exclude: ints() })).toBe(rank);
        expect(given).toEqual(Float32Array.from(all));
      }),
      { seed: 51, numRuns: 500 },
    );
  });
});

describe('the best items', () => {
  it('are those of a sorted list: best first, ties by number, without what is left out or has no score', () => {
    const score = fc.oneof(fc.constantFrom(0, 1, 2, Number.NaN, Number.NEGATIVE_INFINITY), fc.float());
    fc.assert(
      fc.property(
        fc.array(score, { maxLength: 40 }),
        fc.nat(12),
        fc.array(fc.nat(40)),
        (all, k, excluded) => {
          const given = Float32Array.from(all);
          const exclude = new Set(excluded);
          const plain = Array.from(given.keys())
            .filter((item) => !exclude.has(item) && !Number.isNaN(given[item]))
            .sort((a, b) => (given[a] === given[b] ? a - b : given[b]! > given[a]! ? 1 : -1))
            .slice(0, k);
          expect(topItems(given, k, exclude)).toEqual(plain);
        },
      ),
      { seed: 52, numRuns: 500 },
    );
  });
});
