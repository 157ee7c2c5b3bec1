import { UsageError, seededRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomRows } from '../test/dense.ts';
import { trainOf } from '../test/published.ts';
import { bootstrapMean } from './bootstrap.ts';
import { randomScorer } from './canaries.ts';
import { checkCanaries } from './check-canaries.ts';
import { uniformNegatives } from './canaries.ts';
import { coldStartCurve } from './cold-start.ts';
import { evaluateBoth, type HeldOutItems } from './evaluate.ts';
import { groupFairness } from './groups.ts';
import { evaluateLists, giniIndex } from './lists.ts';
import { measuresOf, rankPeople, type PersonRanking } from './people.ts';
import { popularity } from './references/popularity.ts';
import type { TrainingRows } from './references/recommender.ts';

/** Random rows, one item outside each held out, and candidates outside both. */
function madeUp(users: number, items: number): { train: TrainingRows; test: HeldOutItems } {
  const train = randomRows(users, items, 'people');
  const random = seededRandom('held out');
  const outside = Array.from({ length: users }, (_, user) => {
    const row = new Set(train.values.subarray(train.offsets[user], train.offsets[user + 1]));
    return Array.from({ length: items }, (_item, item) => item).filter((item) => !row.has(item));
  });
  const positives = Int32Array.from(outside, (free) => free[random.int(free.length)]!);
  const negatives = outside.map((free, user) =>
    Int32Array.from(free.filter((item) => item !== positives[user])),
  );
  return { train, test: { positives, negatives } };
}

const person = (user: number, sampled: number, full: number): PersonRanking => ({
  user,
  sampled,
  full,
  score: 0,
  list: Int32Array.of(user),
});

describe('people ranked for once', () => {
  it('give what each evaluation gives alone', async () => {
    const { train, test } = madeUp(50, 30);
    const scorer = randomScorer(30, seededRandom(2)).score;
    const people = await rankPeople({ scorer, train, test, k: 5 });
    const { lists, ...both } = measuresOf(people, train, 5);
    expect(both).toEqual(await evaluateBoth({ scorer, train, test, k: 5 }));
    expect(lists).toEqual(await evaluateLists({ scorer, train, k: 5 }));
  });

  it('in any order give the same', async () => {
    const { train, test } = madeUp(30, 20);
    const people = await rankPeople({ scorer: popularity(train).score, train, test });
    const forth = measuresOf(people, train);
    const back = measuresOf(people.toReversed(), train);
    for (const kind of ['sampled', 'full', 'lists'] as const) {
      for (const [name, value] of Object.entries(forth[kind]))
        expect((back[kind] as unknown as Record<string, number>)[name], name).toBeCloseTo(
          value as number,
          12,
        );
    }
  });

  it('a perfect scorer reaches the ideal, and one that is broken reaches nothing', async () => {
    const { train, test } = madeUp(30, 20);
    const perfect = (user: number): Float32Array =>
      Float32Array.from({ length: 20 }, (_, item) => Number(item === test.positives[user]));
    const { sampled, full } = measuresOf(await rankPeople({ scorer: perfect, train, test }), train);
    expect([sampled.hr, sampled.ndcg, sampled.mrrAtK, full.hr, full.ndcg]).toEqual([1, 1, 1, 1, 1]);
    const broken = await rankPeople({ scorer: () => new Float32Array(20).fill(NaN), train, test });
    expect(measuresOf(broken, train)).toMatchObject({
      lists: { coverage: 0, novelty: 0, popularityLift: 0, gini: 0 },
    });
  });

  it('refuse a k of 0', async () => {
    const { train, test } = madeUp(5, 5);
    await expect(rankPeople({ scorer: () => new Float32Array(5), train, test, k: 0 })).rejects.toThrow(
      UsageError,
    );
  });
});

describe('the Gini index', () => {
  it('is 0 for equals and for nothing, (n − 1)/n where one has all', () => {
    expect(giniIndex(Float64Array.of(3, 3, 3))).toBe(0);
    expect(giniIndex(new Float64Array(4))).toBe(0);
    expect(giniIndex(Float64Array.of(0, 0, 7, 0))).toBeCloseTo(3 / 4, 14);
  });

  it('does not depend on the order or the unit, and lies in [0, 1)', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 1, maxLength: 40 }), (counts) => {
        const index = giniIndex(Float64Array.from(counts));
        expect(index).toBeGreaterThanOrEqual(0);
        expect(index).toBeLessThan(1);
        expect(giniIndex(Float64Array.from(counts.toReversed(), (count) => 3 * count))).toBeCloseTo(
          index,
          12,
        );
      }),
    );
  });
});

describe('fairness between groups', () => {
  it('compares groups, and leaves out whose group is not known', () => {
    const people = [person(0, 0, 0), person(1, 3, 90), person(2, 50, 90), person(3, 0, 0), person(4, 0, 0)];
    const { groups, gap } = groupFairness(people, Uint8Array.of(0, 0, 1, 1, 255));
    expect(groups.map(({ group, sampled }) => [group, sampled.users, sampled.hr])).toEqual([
      [0, 2, 1],
      [1, 2, 0.5],
    ]);
    expect(gap.sampled.hr).toBe(0.5);
    expect(gap.sampled.ndcg).toBeCloseTo((1 + 1 / Math.log2(5)) / 2 - 0.5, 12);
    expect(gap.full).toEqual({ hr: 0, ndcg: 0 });
  });

  it('is 0 for one group and for none', () => {
    expect(groupFairness([person(0, 0, 0)], Uint8Array.of(1)).gap.sampled.hr).toBe(0);
    expect(groupFairness([person(0, 0, 0)], new Uint8Array(0))).toEqual({
      groups: [],
      gap: { sampled: { hr: 0, ndcg: 0 }, full: { hr: 0, ndcg: 0 } },
    });
  });
});

describe('bootstrap intervals', () => {
  const random = seededRandom('interval');

  it('agree with the normal interval of a coin: p ± 1.96·√(p(1 − p)/n)', () => {
    const values = Float64Array.from({ length: 2_000 }, (_, n) => Number(n % 10 < 3));
    const [low, high] = bootstrapMean(values, { random });
    const half = 1.96 * Math.sqrt((0.3 * 0.7) / 2_000); // 0.0201; a bound of 1,000 resamples scatters by some 0.001
    expect(Math.abs(low - (0.3 - half))).toBeLessThan(0.003);
    expect(Math.abs(high - (0.3 + half))).toBeLessThan(0.003);
  });

  it('lie among the values, hold the lower bound below the upper, and narrow with the level', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 30 }),
        (values) => {
          const wide = bootstrapMean(values, { random, resamples: 100 });
          const narrow = bootstrapMean(values, { random, resamples: 100, level: 0.5 });
          expect(wide[0]).toBeGreaterThanOrEqual(Math.min(...values) - 1e-12);
          expect(wide[1]).toBeLessThanOrEqual(Math.max(...values) + 1e-12);
          expect(wide[0]).toBeLessThanOrEqual(narrow[0] + 1e-12);
          expect(narrow[0]).toBeLessThanOrEqual(narrow[1]);
          expect(narrow[1]).toBeLessThanOrEqual(wide[1] + 1e-12);
        },
      ),
    );
  });

  it('follow the seed and nothing else', () => {
    const values = Float64Array.of(0, 1, 0, 0, 1);
    expect(bootstrapMean(values, { random })).toEqual(bootstrapMean(values, { random }));
    expect(bootstrapMean(values, { random })).not.toEqual(
      bootstrapMean(values, { random: seededRandom(9), resamples: 7 }),
    );
    expect(bootstrapMean([], { random })).toEqual([0, 0]);
  });

  it.each([
    [{ resamples: 0 }, 'resamples is 0'],
    [{ level: 1 }, 'level is 1'],
  ])('refuse %j', (options, message) => {
    expect(() => bootstrapMean([1], { random, ...options })).toThrow(message);
  });
});

describe('a cold-start curve', () => {
  it('tells of n items at each point, longer draws holding the shorter ones, of the same people', async () => {
    const { train, test } = madeUp(40, 60);
    const told = new Map<number, Int32Array[]>();
    const curve = await coldStartCurve({
      scoreHistory: (history, user) => {
        told.set(user, [...(told.get(user) ?? []), history]);
        return new Float32Array(60);
      },
      train,
      test,
      random: seededRandom('told'),
      counts: [0, 1, 3],
      people: 10,
    });
    expect(curve.map(({ interactions, sampled }) => [interactions, sampled.users])).toEqual([
      [0, 10],
      [1, 10],
      [3, 10],
    ]);
    expect(told.size).toBe(10);
    for (const [user, [none, one, three]] of told) {
      const row = Array.from(train.values.subarray(train.offsets[user], train.offsets[user + 1]));
      expect([none!.length, one!.length, three!.length]).toEqual([0, 1, 3]);
      expect(three![0]).toBe(one![0]);
      expect(Array.from(three!).every((item) => row.includes(item))).toBe(true);
      expect(new Set(three).size).toBe(3);
    }
  });

  it('of popularity is flat: it never asks who somebody is', async () => {
    const { train, test } = madeUp(40, 60);
    const { scoreHistory } = popularity(train);
    const shares: number[] = [];
    const onProgress = (share: number): void => void shares.push(share);
    const curve = await coldStartCurve({ scoreHistory, train, test, random: seededRandom(1), onProgress });
    expect(new Set(curve.map(({ full }) => full.ndcg)).size).toBe(1);
    expect(shares.at(-1)).toBe(1);
  });

  it('where hardly anybody has that many, is of everybody, and leaves out the points that nobody has items for', async () => {
    const train = trainOf([[0], [1, 2]], 5);
    const test = { positives: Int32Array.of(3, 4), negatives: [Int32Array.of(4), Int32Array.of(3)] };
    const { scoreHistory } = popularity(train);
    const curve = await coldStartCurve({ scoreHistory, train, test, random: seededRandom(1) });
    expect(curve.map(({ interactions, sampled }) => [interactions, sampled.users])).toEqual([
      [0, 2],
      [1, 2],
    ]);
  });
});

describe('canaries of an evaluation', () => {
  const random = seededRandom('canaries');
  const { train, test } = madeUp(300, 120);
  const sampler = uniformNegatives(120);

  it('pass where nothing is wrong', async () => {
    const report = await checkCanaries({ train, test, sampler, random });
    expect(report.passed).toBe(true);
    expect(report.constant).toEqual({ hr: 0, allowed: [0, 0], passed: true });
    expect(report.memory.hr).toBe(0);
    expect(report.guess.hr).toBeGreaterThan(0.04);
  });

  it('flag a held-out item among the training interactions, even of a few people', async () => {
    const rows = Array.from({ length: train.users }, (_, user) => {
      const row = Array.from(train.values.subarray(train.offsets[user], train.offsets[user + 1]));
      return user % 50 === 1 ? [...row, test.positives[user]!] : row;
    });
    const { memory, passed } = await checkCanaries({ train: trainOf(rows, 120), test, sampler, random });
    expect(memory).toEqual({ hr: 6 / 300, allowed: [0, 0], passed: false });
    expect(passed).toBe(false);
  });

  it('flag a sampler that never draws the held-out item', async () => {
    const leaking: typeof sampler = (user, positives, stream) => {
      let item = sampler(user, positives, stream);
      while (item === test.positives[user]) item = sampler(user, positives, stream);
      return item;
    };
    const report = await checkCanaries({ train, test, sampler: leaking, random });
    expect(report.sampler.hr).toBeGreaterThan(0.9);
    expect([report.sampler.passed, report.passed]).toEqual([false, false]);
  });

  describe('where every list of ten holds all candidates', () => {
    /** Eight items: seven people in eight have one to train on and six candidates; the last has one candidate. */
    const rows = Array.from({ length: 80 }, (_, user) => [user % 8]);
    const small = {
      positives: Int32Array.from(rows, ([own]) => ((own as number) + 1) % 8),
      negatives: rows.map(([own]) =>
        own === 7
          ? new Int32Array(0)
          : Int32Array.from({ length: 6 }, (_, n) => ((own as number) + 2 + n) % 8),
      ),
    };
    const options = { train: trainOf(rows, 8), test: small, random };

    it('judge a list one short of all, of everybody who has another candidate', async () => {
      const report = await checkCanaries({ ...options, sampler: uniformNegatives(8) });
      expect(report).toMatchObject({ people: 70, shortened: 70, passed: true });
      expect([report.constant.hr, report.memory.hr]).toEqual([0, 0]);
      expect(report.guess.hr).toBeLessThan(1);
    });

    it('still flag a leak', async () => {
      const leaking: typeof sampler = (user, positives, stream) => {
        const draw = uniformNegatives(8);
        let item = draw(user, positives, stream);
        while (item === small.positives[user]) item = draw(user, positives, stream);
        return item;
      };
      const { memory } = await checkCanaries({
        ...options,
        train: trainOf(
          rows.map(([own], user) =>
            user === 1 ? [own as number, small.positives[user] as number] : [own as number],
          ),
          8,
        ),
        sampler: uniformNegatives(8),
      });
      expect(memory.passed).toBe(false);
      expect((await checkCanaries({ ...options, sampler: leaking })).sampler.hr).toBe(1);
    });

    it('judge nobody where nobody has another candidate', async () => {
      const nobody = { ...small, negatives: rows.map(() => new Int32Array(0)) };
      const report = await checkCanaries({ ...options, test: nobody, sampler: uniformNegatives(8) });
      expect([report.people, report.passed]).toEqual([0, true]);
    });
  });

  it('flag candidates that are missing', async () => {
    const few = {
      ...test,
      negatives: test.negatives.map((row) => row.map((item) => (item < 60 ? item : 0))),
    };
    // Each dropped candidate is item 0 again and again: fewer distinct ones, so a guess hits more often than k / 100.
    const { guess } = await checkCanaries({ train, test: few, sampler, random });
    expect(guess.passed).toBe(false);
  });
});
