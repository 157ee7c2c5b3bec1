import { UsageError, seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { denseOf, inverseOf, randomRows } from '../../test/dense.ts';
import { trainOf } from '../../test/published.ts';
import { evaluateSampled } from '../evaluate.ts';
import { ials, ialsDefaults } from './ials.ts';
import type { TrainingRows } from './recommender.ts';

type Rows = number[][];

const times = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** The exact minimum in one side's vectors, by the normal equations written out. */
function plainSide(touched: Rows, other: Rows, a0: number, lambda: number): Rows {
  const d = other[0]!.length;
  return touched.map((row) => {
    const weight = (n: number): number => row[n]! + a0;
    const ridge = lambda * (row.reduce((sum, one) => sum + one, 0) + a0 * other.length);
    const left = Array.from({ length: d }, (_, i) =>
      Array.from({ length: d }, (_, j) =>
        other.reduce((sum, h, n) => sum + weight(n) * h[i]! * h[j]!, i === j ? ridge + 1e-9 : 0),
      ),
    );
    const right = Array.from({ length: d }, (_, i) => other.reduce((sum, h, n) => sum + row[n]! * h[i]!, 0));
    return inverseOf(left).map((line) => times(line, right));
  });
}

/** The loss of the doc comment, term by term. */
function lossOf(x: Rows, w: Rows, h: Rows, a0: number, lambda: number): number {
  let loss = 0;
  x.forEach((row, u) =>
    row.forEach((seen, i) => {
      const s = times(w[u]!, h[i]!);
      loss += seen * (s - 1) ** 2 + a0 * s * s;
    }),
  );
  const count = (row: number[]): number => row.reduce((sum, one) => sum + one, 0);
  const people = x.map((row, u) => (count(row) + a0 * h.length) * times(w[u]!, w[u]!));
  const items = h.map((v, i) => (count(x.map((row) => row[i]!)) + a0 * w.length) * times(v, v));
  return loss + lambda * (count(people) + count(items));
}

/** iALS with dense matrices and exact steps, from the same first vectors. */
function plainIals(
  train: TrainingRows,
  options: { d: number; a0: number; lambda: number; epochs: number; seed: string },
): { w: Rows; h: Rows } {
  const { d, a0, lambda, epochs, seed } = options;
  const x = denseOf(train);
  const flipped = Array.from({ length: train.items }, (_, i) => x.map((row) => row[i]!));
  const stream = seededRandom(seed).fork('items');
  let h = flipped.map(() => Array.from({ length: d }, () => (0.1 / Math.sqrt(d)) * stream.normal()));
  let w: Rows = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    w = plainSide(x, h, a0, lambda);
    h = plainSide(flipped, w, a0, lambda);
  }
  return { w: plainSide(x, h, a0, lambda), h };
}

describe('iALS', () => {
  it('one person, one item, one dimension, solved by hand', async () => {
    // With s = w·h: (s − 1)² + a0·s² + λ(1 + a0)(w² + h²). At the minimum |w| = |h|, so s = w², and
    // 2(s − 1) + 2·a0·s + 2λ(1 + a0) = 0: s = (1 − λ(1 + a0)) / (1 + a0) = 1 / 1.5 − 0.1 with a0 = .5, λ = .1.
    const { score } = await ials(trainOf([[0]], 1), {
      random: seededRandom(1),
      dimension: 1,
      unobservedWeight: 0.5,
      regularization: 0.1,
      epochs: 200,
    });
    expect(score(0)[0]).toBeCloseTo(1 / 1.5 - 0.1, 6);
  });

  it.each([
    [3, 0.3, 0.05],
    [6, 1, 0.01],
    [4, 0, 0.2],
  ])('with one block agrees with dense normal equations, d = %d, a0 = %d, λ = %d', async (d, a0, lambda) => {
    const train = randomRows(30, 20, 'ials');
    const before = structuredClone(train);
    const weights = { unobservedWeight: a0, regularization: lambda };
    const options = { random: seededRandom('s'), dimension: d, epochs: 3, block: d, ...weights };
    const { score } = await ials(train, options);
    const { w, h } = plainIals(train, { d, a0, lambda, epochs: 3, seed: 's' });
    for (let user = 0; user < train.users; user++) {
      score(user).forEach((value, item) => expect(value).toBeCloseTo(times(w[user]!, h[item]!), 4));
    }
    expect(train).toEqual(before);
  });

  it('comes with small blocks to where exact steps come', async () => {
    const train = randomRows(60, 30, 'blocks');
    const weights = { unobservedWeight: 0.2, regularization: 0.1 };
    const of = (block: number) =>
      ials(train, { random: seededRandom(4), dimension: 6, epochs: 300, block, ...weights });
    const [exact, blocks] = [await of(6), await of(2)];
    for (let user = 0; user < train.users; user += 7) {
      blocks.score(user).forEach((value, item) => expect(value).toBeCloseTo(exact.score(user)[item]!, 2));
    }
  });

  it('never makes its loss larger', () => {
    const x = denseOf(randomRows(25, 15, 'loss'));
    const losses = [1, 2, 3, 5, 8].map((epochs) => {
      const { w, h } = plainIals(randomRows(25, 15, 'loss'), {
        d: 4,
        a0: 0.3,
        lambda: 0.05,
        epochs,
        seed: 'l',
      });
      return lossOf(x, w, h, 0.3, 0.05);
    });
    losses.slice(1).forEach((loss, n) => expect(loss).toBeLessThanOrEqual(losses[n]! + 1e-9));
  });

  it('learns a checkerboard of tastes, and answers for a newcomer with two items', async () => {
    const random = seededRandom('checkerboard');
    const own = Array.from({ length: 60 }, (_, user) =>
      Array.from({ length: 20 }, (_, n) => 2 * n + (user % 2)),
    );
    const rows = own.map((all) => all.filter(() => random.float() < 0.6));
    const positives = Int32Array.from(own, (all, user) => all.find((item) => !rows[user]!.includes(item))!);
    const negatives = own.map((_, user) => Int32Array.from({ length: 20 }, (_, n) => 2 * n + 1 - (user % 2)));
    const model = await ials(trainOf(rows, 40), { random, dimension: 8 });
    const known = await evaluateSampled({ scorer: model.score, test: { positives, negatives }, k: 1 });
    expect(known.hr).toBe(1);
    const scores = model.scoreHistory(Int32Array.of(0, 2));
    const mean = (colour: number): number =>
      scores.filter((_, item) => item % 2 === colour).reduce((sum, value) => sum + value, 0) / 20;
    expect(mean(0)).toBeGreaterThan(5 * Math.abs(mean(1)));
  });

  it('gives nobody anything for no items, equal figures for equal seeds, and tells how far it is', async () => {
    const train = randomRows(20, 12, 'seeds');
    const shares: number[] = [];
    const fit = (seed: number) =>
      ials(train, {
        random: seededRandom(seed),
        dimension: 4,
        epochs: 2,
        onProgress: (share) => void shares.push(share),
      });
    const [first, again, other] = [await fit(1), await fit(1), await fit(2)];
    expect(again.score(3)).toEqual(first.score(3));
    expect(other.score(3)).not.toEqual(first.score(3));
    expect(first.score(0).every((value) => value === 0)).toBe(true);
    expect(shares.slice(0, 4)).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it('takes a0 and λ from the data', () => {
    const rows = Array.from({ length: 10 }, () => Array.from({ length: 50 }, (_, item) => item));
    expect(ialsDefaults(trainOf(rows, 1_000))).toEqual({ unobservedWeight: 0.5, regularization: 0.02 });
    expect(ialsDefaults(trainOf([[0], [1]], 2))).toEqual({ unobservedWeight: 1, regularization: 0.35 });
  });

  it.each([
    [{ dimension: 0 }, 'dimension is 0'],
    [{ epochs: 1.5 }, 'epochs is 1.5'],
    [{ block: -1 }, 'block is -1'],
    [{ regularization: 0 }, 'regularization is 0'],
    [{ unobservedWeight: -1 }, 'unobservedWeight is -1'],
  ])('refuses %j', async (options, message) => {
    const result = ials(trainOf([[0]], 1), { random: seededRandom(1), ...options });
    await expect(result).rejects.toThrow(UsageError);
    await expect(result).rejects.toThrow(message);
  });
});
