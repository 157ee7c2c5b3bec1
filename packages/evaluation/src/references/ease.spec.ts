import { UsageError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { denseOf, inverseOf, randomRows } from '../../test/dense.ts';
import { isThere, readPublished, trainOf } from '../../test/published.ts';
import { evaluateBoth } from '../evaluate.ts';
import { ease, easeRegularization, MOST_EASE_ITEMS } from './ease.ts';
import type { TrainingRows } from './recommender.ts';

/** B of EASE by its formula. */
function plainWeights(train: TrainingRows, lambda: number): number[][] {
  const x = denseOf(train);
  const items = Array.from({ length: train.items }, (_, item) => item);
  const gram = items.map((i) =>
    items.map((j) => x.reduce((sum, row) => sum + row[i]! * row[j]!, i === j ? lambda : 0)),
  );
  const p = inverseOf(gram);
  return items.map((i) => items.map((j) => (i === j ? 0 : -p[i]![j]! / p[j]![j]!)));
}

describe('EASE', () => {
  it('two items, solved by hand', async () => {
    // Three people: {0, 1}, {0, 1}, {0}. G = [[3 + λ, 2], [2, 2 + λ]], λ = 1: [[4, 2], [2, 3]], P = [[3, −2], [−2, 4]] / 8,
    // so B_01 = 2/8 : 4/8 = 1/2 and B_10 = 2/8 : 3/8 = 2/3.
    const { score, scoreHistory } = await ease(trainOf([[0, 1], [0, 1], [0]], 2), { regularization: 1 });
    expect(score(2)[0]).toBe(0);
    expect(score(2)[1]).toBeCloseTo(1 / 2, 6);
    expect(scoreHistory(Int32Array.of(1))[0]).toBeCloseTo(2 / 3, 6);
    expect(Array.from(scoreHistory(new Int32Array(0)))).toEqual([0, 0]);
  });

  it.each([0.5, 10, 200])('agrees with its formula, λ = %d', async (lambda) => {
    const train = randomRows(60, 38, 'ease');
    const before = structuredClone(train);
    const b = plainWeights(train, lambda);
    const { score } = await ease(train, { regularization: lambda });
    denseOf(train).forEach((row, user) =>
      score(user).forEach((value, j) =>
        expect(value).toBeCloseTo(
          row.reduce((sum, touched, i) => sum + touched * b[i]![j]!, 0),
          5,
        ),
      ),
    );
    expect(train).toEqual(before);
  });

  it('does not care in which order a person touched things', async () => {
    const forth = await ease(trainOf([[0, 1, 3], [2, 3], [1]], 4), { regularization: 2 });
    const back = await ease(trainOf([[3, 0, 1], [3, 2], [1]], 4), { regularization: 2 });
    expect(back.score(1)).toEqual(forth.score(1));
  });

  it('knows nothing of an item that nobody touched, and of people without items', async () => {
    const { score } = await ease(randomRows(30, 12, 'nobody'), { regularization: 5 });
    expect(score(4)[11]).toBe(0);
    expect(score(0).every((value) => value === 0)).toBe(true);
  });

  it('takes λ from the number of people', () => {
    expect([6, 600, 6_040, 1e6].map((users) => easeRegularization({ users }))).toEqual([
      10,
      100,
      6_040 / 6,
      2_000,
    ]);
  });

  it('refuses a catalogue too wide for its matrix, and a λ of 0', async () => {
    const wide = trainOf([[0]], MOST_EASE_ITEMS + 1);
    await expect(ease(wide)).rejects.toThrow(UsageError);
    await expect(ease(wide)).rejects.toThrow('4097 are more than 4096');
    await expect(ease(trainOf([[0]], 1), { regularization: 0 })).rejects.toThrow('regularization is 0');
  });
});

describe('published data (only where TUTTI_DATA names its folder)', () => {
  // The anchor of recommendation-quality.md §2 is .635 / .372, with a λ that it does not name.
  it.skipIf(!isThere('ml-100k'))('EASE on MovieLens 100K', { timeout: 120_000 }, async () => {
    const { train, test } = readPublished('ml-100k');
    const { sampled } = await evaluateBoth({ scorer: (await ease(train)).score, test, train });
    expect(sampled.hr).toBeGreaterThan(0.63);
    expect(sampled.ndcg).toBeGreaterThan(0.365);
  });
});
