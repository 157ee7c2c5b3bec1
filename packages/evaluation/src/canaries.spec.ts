import { UsageError, seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { isThere, readPublished, trainOf } from '../test/published.ts';
import {
  constantScorer,
  neverNegativeScorer,
  randomScorer,
  uniformNegatives,
  type NegativeSampler,
} from './canaries.ts';
import { evaluateBoth, evaluateSampled, type HeldOutItems } from './evaluate.ts';
import type { TrainingRows } from './references/recommender.ts';

/** People with `length` random items each to train on, one held out, and 99 candidates outside both. */
function madeUp(users: number, items: number, length: number): { train: TrainingRows; test: HeldOutItems } {
  const random = seededRandom('canaries');
  const drawn = Array.from({ length: users }, () => {
    const all = new Set<number>();
    while (all.size < length + 100) all.add(random.int(items));
    return Array.from(all);
  });
  return {
    train: trainOf(
      drawn.map((row) => row.slice(0, length)),
      items,
    ),
    test: {
      positives: Int32Array.from(drawn, (row) => row[length]!),
      negatives: drawn.map((row) => Int32Array.from(row.slice(length + 1))),
    },
  };
}

/** What much published code does: the held-out item can never be a negative. */
const leaking =
  (items: number, test: HeldOutItems): NegativeSampler =>
  (user, positives, random) => {
    const draw = uniformNegatives(items);
    let item = draw(user, positives, random);
    while (item === test.positives[user]) item = draw(user, positives, random);
    return item;
  };

describe('canaries that must score badly', () => {
  it('a constant scores exactly 0, sampled and full', async () => {
    const { train, test } = madeUp(200, 300, 20);
    const { sampled, full } = await evaluateBoth({ scorer: constantScorer(300).score, test, train });
    expect([sampled.hr, sampled.ndcg, full.hr, full.ndcg]).toEqual([0, 0, 0, 0]);
  });

  it('a guess scores 0.10 ± 0.01', async () => {
    const { test } = madeUp(6_000, 200, 5);
    const { hr } = await evaluateSampled({ scorer: randomScorer(200, seededRandom(1)).score, test });
    // Binomial, n = 6,000, p = 0.1: standard deviation 0.0039, so 0.01 is 2.6 of them; the seed is fixed.
    expect(Math.abs(hr - 0.1)).toBeLessThan(0.01);
  });

  it('a guess does not depend on the order of asking', () => {
    const scorer = randomScorer(10, seededRandom(2));
    const first = scorer.score(3);
    scorer.score(4);
    expect(scorer.score(3)).toEqual(first);
    expect(scorer.score(4)).not.toEqual(first);
  });
});

describe('the leak canary: remembers only what was never drawn as a negative', () => {
  const { train, test } = madeUp(1_000, 400, 20);
  const hitRateOf = async (sampler: NegativeSampler, rounds: number): Promise<number> =>
    (
      await evaluateSampled({
        scorer: neverNegativeScorer(train, sampler, rounds, seededRandom(3)).score,
        test,
      })
    ).hr;

  it.each([1, 10, 60])(
    'stays at chance where the held-out item can be drawn, after %d rounds',
    async (rounds) => {
      // Binomial, n = 1,000, p = 0.1: standard deviation 0.0095, so the bound of 0.13 is 3.2 of them; the seed is fixed.
      expect(await hitRateOf(uniformNegatives(400), rounds)).toBeLessThanOrEqual(0.13);
    },
  );

  it('reaches 1 where it cannot', async () => {
    // 60 rounds of 80 draws from 379 items: another candidate stays undrawn with chance (1 - 1/379)^4800 = 3e-6.
    expect(await hitRateOf(leaking(400, test), 60)).toBe(1);
    // After 10 rounds of 80 draws 12 of 99 candidates are undrawn too, and the leak shows already.
    expect(await hitRateOf(leaking(400, test), 10)).toBeGreaterThan(0.6);
  });

  it('a sampler with nothing left to draw says so, and does not hang', () => {
    expect(() => uniformNegatives(2)(0, new Set([0, 1]), seededRandom(1))).toThrow(UsageError);
  });

  it('the sampler draws everything outside training equally often', () => {
    const draw = uniformNegatives(12);
    const random = seededRandom(5);
    const counts = new Float64Array(12);
    for (let n = 0; n < 10_000; n++) counts[draw(0, new Set([3, 7]), random)]!++;
    expect([counts[3], counts[7]]).toEqual([0, 0]);
    // Binomial, n = 10,000, p = 1/10: standard deviation 30; five of them.
    for (const [item, count] of counts.entries())
      if (item !== 3 && item !== 7) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

describe('published data (only where TUTTI_DATA names its folder)', () => {
  it.skipIf(!isThere('ml-1m'))('MovieLens 1M: constant, guess and leak canary', async () => {
    const { train, test } = readPublished('ml-1m');
    const { items } = train;
    expect(await evaluateSampled({ scorer: constantScorer(items).score, test })).toMatchObject({
      hr: 0,
      users: 6_040,
    });
    const guess = await evaluateSampled({ scorer: randomScorer(items, seededRandom(1)).score, test });
    expect(Math.abs(guess.hr - 0.1)).toBeLessThan(0.01);
    const users = Int32Array.from({ length: 604 }, (_, n) => 10 * n); // every tenth: a canary draws 66,000 items a person
    const canary = (sampler: NegativeSampler): Promise<{ hr: number }> =>
      evaluateSampled({
        scorer: neverNegativeScorer(train, sampler, 25, seededRandom(3)).score,
        test,
        users,
      });
    // Binomial, n = 604, p = 0.1: standard deviation 0.0122, so 0.13 is 2.5 of them; the seed is fixed.
    expect((await canary(uniformNegatives(items))).hr).toBeLessThanOrEqual(0.13);
    expect((await canary(leaking(items, test))).hr).toBeGreaterThan(0.7);
  });
});
