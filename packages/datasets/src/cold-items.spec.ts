import { describe, expect, it } from 'vitest';
import { coldItems } from './cold-items.ts';
import { generateFilmShelf } from './film-shelf.ts';
import type { SplitDataset } from './types.ts';

const shelf = generateFilmShelf({ seed: 3, users: 80, items: 150 });
const rowOf = ({ train }: SplitDataset, user: number): number[] => [
  ...train.values.subarray(train.offsets[user], train.offsets[user + 1]),
];

describe('cold items', () => {
  const split = coldItems(shelf, { share: 0.2, candidates: 12 });
  const cold = new Set(split.cold);

  it('are in nobody’s training, and everything else still is, in its order', () => {
    expect(cold.size).toBe(30);
    for (let user = 0; user < shelf.users; user++)
      expect(rowOf(split, user)).toEqual(rowOf(shelf, user).filter((item) => !cold.has(item)));
    expect(split.train.timestamps).toHaveLength(split.train.values.length);
    expect(split.validation).toBeUndefined();
  });

  it('are asked about among cold ones that the person did not touch', () => {
    let asked = 0;
    for (let user = 0; user < shelf.users; user++) {
      const touched = new Set([
        ...rowOf(shelf, user),
        shelf.test.positives[user],
        shelf.validation?.positives[user],
      ]);
      const positive = split.test.positives[user] as number;
      const negatives = [...(split.test.negatives[user] as Int32Array)];
      if (positive < 0) {
        expect([...touched].some((item) => cold.has(item as number))).toBe(false);
        expect(negatives).toEqual([]);
        continue;
      }
      asked++;
      expect(cold.has(positive) && touched.has(positive)).toBe(true);
      expect(new Set(negatives).size).toBe(12);
      expect(negatives.every((item) => cold.has(item) && !touched.has(item))).toBe(true);
    }
    expect(asked).toBeGreaterThan(60);
  });

  it('are the same for equal seeds, and others for others', () => {
    expect(coldItems(shelf, { share: 0.2, candidates: 12 })).toEqual(split);
    expect(coldItems(shelf, { share: 0.2, seed: 2 }).cold).not.toEqual(split.cold);
  });

  it.each([0, 1, Number.NaN, -1])('refuse a share of %s', (share) =>
    expect(() => coldItems(shelf, { share })).toThrow('a number between 0 and 1 is needed'),
  );

  it('refuse a catalogue of one item, of which none can be ranked', () => {
    const one: SplitDataset = {
      ...shelf,
      items: 1,
      catalogue: { ids: ['only'] },
    };
    expect(() => coldItems(one)).toThrow('at least 2 are needed');
  });
});
