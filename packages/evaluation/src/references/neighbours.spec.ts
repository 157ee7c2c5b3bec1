import { UsageError, seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { isThere, readPublished, trainOf } from '../../test/published.ts';
import { evaluateBoth, evaluateSampled } from '../evaluate.ts';
import { itemKnn } from './item-knn.ts';
import { popularity } from './popularity.ts';
import type { TrainingRows } from './recommender.ts';

/** Item-kNN by its formula, one pair at a time. */
function plainKnn(train: TrainingRows, neighbours: number, shrink: number): (user: number) => Float64Array {
  const rows = Array.from(
    { length: train.users },
    (_, user) => new Set(train.values.subarray(train.offsets[user], train.offsets[user + 1])),
  );
  const peopleOf = Array.from({ length: train.items }, (_, item) =>
    rows.flatMap((row, user) => (row.has(item) ? [user] : [])),
  );
  const similarity = (a: number, b: number): number =>
    peopleOf[a]!.filter((user) => rows[user]!.has(b)).length /
    (Math.sqrt(peopleOf[a]!.length * peopleOf[b]!.length) + shrink);
  const nearest = peopleOf.map((_, item) =>
    Array.from(peopleOf.keys())
      .filter((other) => other !== item && similarity(item, other) > 0)
      .sort((a, b) => similarity(item, b) - similarity(item, a) || a - b)
      .slice(0, neighbours),
  );
  return (user) =>
    Float64Array.from(nearest, (list, item) =>
      list.filter((other) => rows[user]!.has(other)).reduce((sum, other) => sum + similarity(item, other), 0),
    );
}

/** A checkerboard of tastes: people like items of their own colour only. */
function checkerboard(
  users: number,
  items: number,
): { train: TrainingRows; test: { positives: Int32Array; negatives: Int32Array[] } } {
  const random = seededRandom('checkerboard');
  const own = Array.from({ length: users }, (_, user) =>
    Array.from({ length: items / 2 }, (_, n) => 2 * n + (user % 2)),
  );
  const rows = own.map((all) => all.filter(() => random.float() < 0.6));
  const positives = own.map((all, user) => all.find((item) => !rows[user]!.includes(item)) ?? -1);
  const negatives = own.map((_, user) =>
    Int32Array.from({ length: items / 2 }, (_, n) => 2 * n + 1 - (user % 2)),
  );
  return { train: trainOf(rows, items), test: { positives: Int32Array.from(positives), negatives } };
}

describe('popularity', () => {
  it('counts people, the same for everybody', () => {
    const { score } = popularity(trainOf([[0, 2], [2], []], 4));
    expect(Array.from(score(0))).toEqual([1, 0, 2, 0]);
    expect(score(2)).toBe(score(0));
  });
});

describe('item-kNN', () => {
  it.each([
    [1, 0],
    [3, 10],
    [5, 2.5],
    [50, 100],
  ])('agrees with its formula, %d neighbours, shrink %d', (neighbours, shrink) => {
    const random = seededRandom(`knn ${neighbours}`);
    const rows = Array.from({ length: 40 }, () =>
      Array.from({ length: 25 }, (_, item) => item).filter((item) => random.float() < 4 / (item + 5)),
    );
    const train = trainOf(rows, 25);
    const before = structuredClone(train);
    const fast = itemKnn(train, { neighbours, shrink });
    const plain = plainKnn(train, neighbours, shrink);
    for (let user = 0; user < 40; user++) {
      const expected = plain(user);
      fast.score(user).forEach((score, item) => expect(score).toBeCloseTo(expected[item]!, 4));
    }
    expect(train).toEqual(before);
  });

  it('learns a checkerboard of tastes, which popularity cannot', async () => {
    const { train, test } = checkerboard(60, 40);
    const knn = await evaluateSampled({ scorer: itemKnn(train).score, test, k: 1 });
    const popular = await evaluateSampled({ scorer: popularity(train).score, test, k: 1 });
    expect(knn.hr).toBe(1);
    expect(popular.hr).toBeLessThan(0.3);
  });

  it('takes people and items with nothing', () => {
    const { score } = itemKnn(trainOf([[], [1]], 3));
    expect(Array.from(score(0))).toEqual([0, 0, 0]);
    expect(Array.from(score(1))).toEqual([0, 0, 0]);
  });

  it.each([
    [{ neighbours: 0 }, 'neighbours is 0; a whole number of at least 1 is needed'],
    [{ neighbours: 1.5 }, 'neighbours is 1.5'],
    [{ shrink: -1 }, 'shrink is -1; a number of at least 0 is needed'],
    [{ shrink: Number.NaN }, 'shrink is NaN'],
  ])('refuses %j', (options, message) => {
    expect(() => itemKnn(trainOf([[0]], 1), options)).toThrow(UsageError);
    expect(() => itemKnn(trainOf([[0]], 1), options)).toThrow(message);
  });
});

describe('published data (only where TUTTI_DATA names its folder)', () => {
  it.skipIf(!isThere('ml-1m'))(
    'MovieLens 1M, files of He et al.: the published popularity, and item-kNN',
    async () => {
      const { train, test } = readPublished('ml-1m');
      // Published for these files: .4531 / .2542 (recommendation-quality.md §2; shared data page).
      const popular = await evaluateBoth({ scorer: popularity(train).score, test, train });
      expect(popular.sampled.hr).toBeCloseTo(0.4531, 4);
      expect(popular.sampled.ndcg).toBeCloseTo(0.2541, 4);
      expect(popular.full.hr).toBeCloseTo(0.041, 3);
      const knn = await evaluateBoth({ scorer: itemKnn(train).score, test, train });
      expect(knn.sampled.hr).toBeGreaterThan(0.655);
      expect(knn.sampled.ndcg).toBeGreaterThan(0.385);
      expect(knn.full.hr).toBeGreaterThan(0.08);
    },
  );

  it.skipIf(!isThere('ml-100k'))('MovieLens 100K', async () => {
    const { train, test } = readPublished('ml-100k');
    const popular = await evaluateSampled({ scorer: popularity(train).score, test });
    expect([popular.hr, popular.ndcg].map((value) => Number(value.toFixed(3)))).toEqual([0.41, 0.221]);
    const knn = await evaluateSampled({ scorer: itemKnn(train).score, test });
    expect(knn.hr).toBeGreaterThan(0.6);
  });
});
