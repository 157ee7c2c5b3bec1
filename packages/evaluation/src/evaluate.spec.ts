import { UsageError, seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { trainOf } from '../test/published.ts';
import { evaluateBoth, evaluateFull, evaluateSampled, metricsOfRanks } from './evaluate.ts';
import { evaluateLists } from './lists.ts';

/** Three people and six items; the third person has nothing held out. */
const train = trainOf([[0, 1], [2], [5]], 6);
const test = {
  positives: Int32Array.of(2, 3, -1),
  negatives: [Int32Array.of(3, 4, 2), Int32Array.of(0, 1), new Int32Array(0)],
};
const rows = [
  [9, 8, 5, 7, 1, 6], // held out 2: among 3, 4 below one, so rank 1; of all but 0, 1 below 3 and 5, so rank 2
  [1, 2, 9, 2, 0, 0], // held out 3: ties with 1, so rank 1; of all but 2 the same
  [0, 0, 0, 0, 0, 0],
].map((row) => Float32Array.from(row));
const scorer = (user: number): Float32Array => rows[user]!;

describe('means over people', () => {
  it('sampled, full and both agree with ranks worked out by hand', async () => {
    const sampled = metricsOfRanks([1, 1]);
    const full = metricsOfRanks([2, 1]);
    expect(await evaluateSampled({ scorer, test })).toEqual(sampled);
    expect(await evaluateFull({ scorer, test, train })).toEqual(full);
    expect(await evaluateBoth({ scorer, test, train })).toEqual({ sampled, full });
    expect(full).toMatchObject({ hr: 1, recall: 1, precision: 0.1, users: 2, k: 10 });
    expect(full.ndcg).toBeCloseTo((0.5 + Math.log(2) / Math.log(3)) / 2, 12);
    expect(full.mrr).toBeCloseTo((1 / 3 + 1 / 2) / 2, 12);
  });

  it('take another k, some people only, and a scorer that answers later', async () => {
    const later = async (user: number): Promise<Float32Array> => scorer(user);
    expect(await evaluateSampled({ scorer: later, test, k: 1 })).toMatchObject({ hr: 0, mrr: 0.5, k: 1 });
    const users = Int32Array.of(0);
    expect(await evaluateFull({ scorer: later, test, train, users, k: 3 })).toMatchObject({
      hr: 1,
      ndcg: 0.5,
      users: 1,
    });
  });

  it('ask the scorer once a person with a held-out item, and tell of every person', async () => {
    const asked: number[] = [];
    const done: number[] = [];
    const watching = (user: number): Float32Array => {
      asked.push(user);
      return scorer(user);
    };
    await evaluateBoth({ scorer: watching, test, train, onPerson: (count) => void done.push(count) });
    expect(asked).toEqual([0, 1]);
    expect(done).toEqual([1, 2, 3]);
  });

  it('are 0 over nobody, which says so', async () => {
    const nobody = await evaluateSampled({ scorer, test, users: Int32Array.of(2) });
    expect(nobody).toEqual({
      hr: 0,
      ndcg: 0,
      recall: 0,
      precision: 0,
      f1: 0,
      mrr: 0,
      mrrAtK: 0,
      users: 0,
      k: 10,
    });
  });

  it('do not depend on who comes first', async () => {
    const forth = await evaluateFull({ scorer, test, train, users: Int32Array.of(0, 1) });
    const back = await evaluateFull({ scorer, test, train, users: Int32Array.of(1, 0) });
    expect(back.ndcg).toBeCloseTo(forth.ndcg, 14);
  });

  it.each([
    ['k of 0', { k: 0 }, 'k is 0; a whole number of at least 1 is needed'],
    ['half a k', { k: 2.5 }, 'k is 2.5'],
    [
      'scores for other items',
      { scorer: () => new Float32Array(5) },
      'the scorer gives 5 scores; there are 6 items',
    ],
  ])('refuse %s', async (_name, options, message) => {
    const result = evaluateFull({ scorer, test, train, ...options });
    await expect(result).rejects.toThrow(UsageError);
    await expect(result).rejects.toThrow(message);
  });

  it('refuse a held-out item without a score', async () => {
    await expect(evaluateSampled({ scorer: () => new Float32Array(2), test })).rejects.toThrow(
      'the held-out item is 2',
    );
  });
});

describe('lists', () => {
  it('coverage and novelty, worked out by hand', async () => {
    // Four people, four items: touched by 4, 2, 1 and 0 people.
    const few = trainOf([[0, 1, 2], [0, 1], [0], [0]], 4);
    const same = (): Float32Array => Float32Array.of(9, 3, 2, 1);
    // k = 1: person 0 has only item 3 left (2 bits), person 1 gets item 2 (2 bits), the others item 1 (1 bit each).
    // People touched items of mean popularity 7/3, 3, 4 and 4 (counts 4, 2, 1, 0).
    expect(await evaluateLists({ scorer: same, train: few, k: 1 })).toEqual({
      coverage: 3 / 4,
      novelty: 6 / 4,
      popularityLift: expect.closeTo((0 / (7 / 3) + 1 / 3 + 2 / 4 + 2 / 4) / 4 - 1, 12) as number,
      // Listed 0, 2, 1 and 1 times: rising 0, 1, 1, 2 with weights −3, −1, 1, 3.
      gini: (-1 + 1 + 6) / (4 * 4),
      users: 4,
      k: 1,
    });
    expect(await evaluateLists({ scorer: same, train: few, k: 1, users: Int32Array.of(2) })).toMatchObject({
      coverage: 1 / 4,
      novelty: 1,
    });
  });

  it('a guess covers everything and is more novel than what everybody knows', async () => {
    const random = seededRandom('lists');
    const many = trainOf(
      Array.from({ length: 300 }, () => [0, 1, 2 + random.int(28)]),
      30,
    );
    const counts = new Float32Array(30);
    for (const item of many.values) counts[item]!++;
    const popular = await evaluateLists({ scorer: () => counts, train: many, k: 3 });
    const guess = await evaluateLists({
      scorer: () => Float32Array.from({ length: 30 }, () => random.float()),
      train: many,
      k: 3,
    });
    expect(guess.coverage).toBeGreaterThan(0.9);
    expect(popular.coverage).toBeLessThan(0.3);
    expect(guess.novelty).toBeGreaterThan(popular.novelty);
  });

  it('refuses a k of 0', async () => {
    await expect(evaluateLists({ scorer, train, k: 0 })).rejects.toThrow('k is 0');
  });
});
