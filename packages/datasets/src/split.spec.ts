import { UsageError } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leaveOneOut } from './split.ts';
import type { Interactions, Ratings, SplitDataset } from './types.ts';

type Line = readonly [user: number, item: number, time?: number, rating?: number];

function ratingsOf(...all: readonly Line[]): Ratings {
  const highest = (column: 0 | 1): number => Math.max(...all.map((line) => line[column])) + 1;
  const names = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, n) => prefix + n);
  const timed = all.every((line) => line[2] !== undefined);
  const rated = all.every((line) => line[3] !== undefined);
  return {
    users: Int32Array.from(all, (line) => line[0]),
    items: Int32Array.from(all, (line) => line[1]),
    ...(timed && { timestamps: Float64Array.from(all, (line) => line[2]!) }),
    ...(rated && { ratings: Float64Array.from(all, (line) => line[3]!) }),
    userIds: names('u', highest(0)),
    itemIds: names('i', highest(1)),
  };
}

const row = ({ offsets, values }: Interactions, user: number): number[] =>
  Array.from(values.subarray(offsets[user], offsets[user + 1]));

const named = (data: SplitDataset, item: number): string => data.catalogue.ids[item]!;

describe('leaving one out', () => {
  it('keeps what each person gave each item beside it, also of what is held out', () => {
    const lines: Line[] = [
      [0, 0, 40, 5],
      [0, 1, 10, 1],
      [0, 2, 30, 4],
      [0, 3, 20, 2],
      [1, 0, 5, 3],
      [1, 1, 6, 3.5],
    ];
    const data = leaveOneOut(ratingsOf(...lines), { name: 'rated', minimumInteractions: 2 });
    expect(Array.from(data.train.ratings!)).toEqual([1, 2, 3]);
    expect(Array.from(data.test.ratings!)).toEqual([5, 3.5]);
    expect(Array.from(data.validation!.ratings!)).toEqual([4, Number.NaN]);
    const some = leaveOneOut(ratingsOf(...lines), {
      name: 'liked',
      minimumInteractions: 2,
      minimumRating: 3,
    });
    expect(Array.from(some.train.ratings!)).toEqual([4, 3]);
    const unrated = leaveOneOut(ratingsOf([0, 0], [0, 1], [0, 2]), { name: 'made up' });
    expect([unrated.train.ratings, unrated.test.ratings]).toEqual([undefined, undefined]);
  });

  it('holds out the latest, then the second latest, whatever the order of the lines', () => {
    const data = leaveOneOut(ratingsOf([0, 0, 40], [0, 1, 10], [0, 2, 30], [0, 3, 20]), { name: 'made up' });
    expect(named(data, data.test.positives[0]!)).toBe('i0');
    expect(named(data, data.validation!.positives[0]!)).toBe('i2');
    expect(row(data.train, 0).map((item) => named(data, item))).toEqual(['i1', 'i3']);
    expect(Array.from(data.train.timestamps!)).toEqual([10, 20]);
    expect(data).toMatchObject({
      name: 'made up',
      users: 1,
      items: 4,
      interactions: 4,
      validationInsideTrain: false,
    });
  });

  it('takes the later line for the later one where times are equal, or where there are none', () => {
    for (const time of [5, undefined]) {
      const at: [] | [number] = time === undefined ? [] : [time];
      const data = leaveOneOut(ratingsOf([0, 2, ...at], [0, 0, ...at], [0, 1, ...at]), { name: 'ties' });
      expect([data.test.positives[0], data.validation!.positives[0], row(data.train, 0)]).toEqual([
        1,
        0,
        [2],
      ]);
    }
  });

  it('counts the earliest of lines that repeat a person and item', () => {
    const data = leaveOneOut(ratingsOf([0, 0, 90], [0, 1, 20], [0, 2, 30], [0, 0, 10]), { name: 'repeats' });
    expect(data.interactions).toBe(3);
    expect(data.test.positives[0]).toBe(2);
    expect(row(data.train, 0)).toEqual([0]);
  });

  it('leaves out people with fewer than three, and the items that only they touched', () => {
    const source = ratingsOf([0, 0, 1], [0, 1, 2], [1, 2, 1], [1, 3, 2], [1, 4, 3], [2, 4, 1]);
    const data = leaveOneOut(source, { name: 'short' });
    expect(data).toMatchObject({ users: 1, items: 3, interactions: 3 });
    expect(data.catalogue.ids).toEqual(['i2', 'i3', 'i4']);
    expect(leaveOneOut(source, { name: 'short', keepItems: true }).catalogue.ids).toHaveLength(5);
  });

  it('with a minimum of one, trains on one interaction, tests two, and validates from three on', () => {
    const source = ratingsOf([0, 0, 1], [0, 1, 2], [1, 2, 1], [1, 3, 2], [1, 4, 3], [2, 4, 1]);
    const data = leaveOneOut(source, { name: 'short', minimumInteractions: 1 });
    expect([0, 1, 2].map((user) => row(data.train, user))).toEqual([[0], [2], [4]]);
    expect(Array.from(data.test.positives)).toEqual([1, 4, -1]);
    expect(Array.from(data.validation!.positives)).toEqual([-1, 3, -1]);
    expect(data.test.negatives[2]).toHaveLength(0);
  });

  it('leaves out ratings below the minimum that is asked for', () => {
    const source = ratingsOf([0, 0, 1, 5], [0, 1, 2, 1], [0, 2, 3, 4], [0, 3, 4, 4]);
    expect(leaveOneOut(source, { name: 'stars', minimumRating: 4 })).toMatchObject({
      items: 3,
      interactions: 3,
    });
    expect(leaveOneOut(source, { name: 'stars' })).toMatchObject({ items: 4, interactions: 4 });
  });

  it.each([
    [{ minimumInteractions: 0 }, 'minimumInteractions is 0; a whole number from 1 to 10000 is needed'],
    [{ minimumInteractions: 2.5 }, 'minimumInteractions is 2.5; a whole number'],
    [{ candidates: -1 }, 'candidates is -1; a whole number from 1 to 10000 is needed'],
    [{ minimumRating: Number.NaN }, 'minimumRating is NaN; a number is needed'],
    [{ minimumRating: 3 }, 'minimumRating is 3, but the data holds no ratings'],
    [{ minimumInteractions: 5 }, 'nobody in few has 5 interactions, the fewest that a person needs'],
  ])('refuses %j', (options, message) => {
    const split = (): SplitDataset =>
      leaveOneOut(ratingsOf([0, 0], [0, 1], [0, 2]), { name: 'few', ...options });
    expect(split).toThrow(UsageError);
    expect(split).toThrow(message);
  });
});

describe('laws of a split', () => {
  const lines = fc.array(fc.tuple(fc.nat(7), fc.nat(40), fc.nat(5)), { minLength: 1, maxLength: 150 });

  it('each interaction is in exactly one part, and candidates are distinct items nobody of the three parts holds', () => {
    fc.assert(
      fc.property(lines, fc.constantFrom(1, 3, 20), (all, candidates) => {
        const source = ratingsOf(...all);
        const before = structuredClone(source);
        const data = leaveOneOut(source, { name: 'law', minimumInteractions: 1, candidates });
        expect(source).toEqual(before);
        const distinct = new Set(all.map(([user, item]) => `${user}/${item}`)).size;
        expect(data.interactions).toBe(distinct);
        let counted = 0;
        for (let user = 0; user < data.users; user++) {
          const held = [data.test.positives[user]!, data.validation!.positives[user]!].filter(
            (item) => item >= 0,
          );
          const own = [...row(data.train, user), ...held];
          expect(new Set(own).size).toBe(own.length);
          expect(row(data.train, user).length).toBeGreaterThan(0);
          counted += own.length;
          for (const part of [data.test, data.validation!]) {
            const drawn = part.negatives[user]!;
            const expected = part.positives[user]! < 0 ? 0 : Math.min(candidates, data.items - own.length);
            expect(drawn).toHaveLength(expected);
            expect(new Set([...drawn, ...own]).size).toBe(drawn.length + own.length);
            expect(drawn.every((item) => item >= 0 && item < data.items)).toBe(true);
          }
        }
        expect(counted).toBe(distinct);
      }),
      { seed: 21, numRuns: 300 },
    );
  });

  it('candidates are uniform over what the person did not touch, on both ways of drawing them', () => {
    // 300 people touch items 0 to 2 of 30; 3 candidates come by rejection, 20 by shuffling the rest. Each of the 27 others is
    // expected 300·3/27 = 33.3 and 300·20/27 = 222.2 times; chi-squared with 26 degrees: mean 26, above 60 with chance 2e-4.
    const all = Array.from({ length: 300 }, (_, user) =>
      [0, 1, 2].map((item) => [user, item, item] as const),
    ).flat();
    const everything = Array.from({ length: 30 }, (_, item) => [300, item, 0] as const);
    for (const candidates of [3, 20]) {
      const data = leaveOneOut(ratingsOf(...all, ...everything), { name: 'uniform', candidates });
      const counts = new Float64Array(30);
      for (const drawn of data.test.negatives.slice(0, 300)) for (const item of drawn) counts[item]!++;
      const expected = (300 * candidates) / 27;
      expect(Array.from(counts.subarray(0, 3))).toEqual([0, 0, 0]);
      const chiSquared = counts
        .subarray(3)
        .reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      expect(chiSquared).toBeLessThan(60);
    }
  });

  it('the seed decides the candidates and nothing else', () => {
    const source = ratingsOf(...Array.from({ length: 200 }, (_, n) => [n % 4, (n * 7) % 90, n] as const));
    const [one, again, other] = [7, 7, 8].map((seed) =>
      leaveOneOut(source, { name: 'seeds', seed, candidates: 10 }),
    );
    expect(one).toEqual(again);
    expect(other!.test.negatives).not.toEqual(one!.test.negatives);
    expect(one!.validation!.negatives).not.toEqual(one!.test.negatives);
    expect({ ...other!.train, test: other!.test.positives }).toEqual({
      ...one!.train,
      test: one!.test.positives,
    });
  });
});
