import { keepLocal, seededRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blended,
  createEngine,
  createModel,
  diverse,
  itemVectors,
  reasonsFor,
  resolveModelConfig,
  unitVectors,
  type LoadedModel,
  type Model,
  type ModelInput,
} from './index.ts';
import { openNodeTensorflow } from './node.ts';

const { tf } = await openNodeTensorflow({ backend: 'wasm' });

const ITEMS = 60;

const modelOf = (input: ModelInput): Model =>
  createModel(resolveModelConfig(input, { items: ITEMS, meanHistory: 10 }), ITEMS);

const load = async (model: Model, shared: Float32Array): Promise<LoadedModel> =>
  (await createEngine({ model, tf, backend: 'wasm' })).load(shared);

describe('reasons', () => {
  it('of a matrix factorisation add up to the score, item by item as Hu et al. take it apart', async () => {
    const model = modelOf({ family: 'mf', dimension: 6 });
    const random = seededRandom(3);
    const shared = Float32Array.from({ length: model.layout.length }, () => random.normal() / 2);
    const loaded = await load(model, shared);
    const positives = keepLocal(Int32Array.of(2, 7, 11, 40));
    const local = await loaded.personalize(undefined, { positives }, seededRandom(1));
    const items = Int32Array.of(0, 7, 59);
    const weights = await reasonsFor({ model, loaded, local, positives, items, random: seededRandom(2) });
    const scores = await loaded.score(local, items);
    for (let j = 0; j < items.length; j++) {
      const row = weights.subarray(j * 4, (j + 1) * 4);
      expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(scores[j] as number, 4);
    }
    // w = A⁻¹·Σ h_i, so that leaving h_i out of the sum, with A as it is, takes exactly its weight from the score.
    const rowOf = (item: number) => shared.subarray(item * 6, (item + 1) * 6);
    const share = await partOf(model, shared, positives, rowOf(11), rowOf(59));
    expect(weights[2 * 4 + 2]).toBeCloseTo(share, 4);
  });
});

/** hᵀ·A⁻¹·g with A of the person, in float64, by Gaussian elimination. */
async function partOf(
  model: Model,
  shared: Float32Array,
  positives: Int32Array,
  g: Float32Array,
  h: Float32Array,
): Promise<number> {
  const { config } = model;
  if (config.family !== 'mf') throw new Error('mf is expected');
  const d = config.dimension;
  const a = Array.from({ length: d }, (_, i) =>
    Array.from({ length: d + 1 }, (_unused, j) => (j === d ? (g[i] as number) : 0)),
  );
  const add = (item: number, factor: number): void => {
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++)
        (a[i] as number[])[j] =
          ((a[i] as number[])[j] as number) +
          factor * (shared[item * d + i] as number) * (shared[item * d + j] as number);
  };
  for (let item = 0; item < ITEMS; item++) add(item, config.unobservedWeight);
  for (const item of positives) add(item, 1);
  const ridge = config.regularization * (positives.length + config.unobservedWeight * ITEMS);
  for (let i = 0; i < d; i++) (a[i] as number[])[i] = ((a[i] as number[])[i] as number) + ridge;
  for (let pivot = 0; pivot < d; pivot++)
    for (let row = 0; row < d; row++) {
      if (row === pivot) continue;
      const factor = ((a[row] as number[])[pivot] as number) / ((a[pivot] as number[])[pivot] as number);
      for (let j = pivot; j <= d; j++)
        (a[row] as number[])[j] =
          ((a[row] as number[])[j] as number) - factor * ((a[pivot] as number[])[j] as number);
    }
  return h.reduce(
    (sum, value, i) => sum + (value * ((a[i] as number[])[d] as number)) / ((a[i] as number[])[i] as number),
    0,
  );
}

describe('what everybody likes', () => {
  it('weighs n₀ / (n₀ + n), and nothing at weight 0; equal scores change nothing', () => {
    const [own, everybody] = [keepLocal(Float32Array.of(1, 0, 0, -1)), Float32Array.of(0, 2, -2, 0)];
    expect([...blended(own, everybody, 5, 0)]).toEqual([...blended(own, own, 5, 0)]);
    // Both have deviation √(1/2) and √2 about 0: in standard units ±√2.
    const half = blended(own, everybody, 2, 2);
    for (const [item, expected] of [Math.SQRT1_2, Math.SQRT1_2, -Math.SQRT1_2, -Math.SQRT1_2].entries())
      expect(half[item]).toBeCloseTo(expected, 6);
    expect([...blended(own, new Float32Array(4).fill(3), 0, 2)].every((score) => score === 0)).toBe(true);
  });
});

describe('item vectors', () => {
  it('are the rows of all item tables side by side, and at length 1 or 0', () => {
    const model = modelOf({ family: 'neumf', dimension: 3 });
    const shared = Float32Array.from({ length: model.layout.length }, (_, at) => at);
    const { dimension, values } = itemVectors(model, shared);
    const tables = model.layout.parameters.filter(
      ({ role, shape }) => role === 'item-table' && (shape[1] ?? 1) > 1,
    );
    expect(dimension).toBe(tables.reduce((sum, { shape }) => sum + (shape[1] as number), 0));
    expect([...values.subarray(dimension, 2 * dimension)]).toEqual(
      tables.flatMap(({ offset, shape }) => {
        const width = shape[1] as number;
        return Array.from({ length: width }, (_, at) => offset + width + at);
      }),
    );
    const unit = unitVectors({ dimension: 2, values: Float32Array.of(3, 4, 0, 0) });
    expect([...unit.values]).toEqual([Math.fround(0.6), Math.fround(0.8), 0, 0]);
  });
});

describe('a diverse list', () => {
  /** Items 0 to 3 point one way and 4 to 7 another; scores fall. */
  const unit = {
    dimension: 2,
    values: Float32Array.from({ length: 16 }, (_, at) => (at < 8 ? (at + 1) % 2 : at % 2)),
  };
  const ranking = {
    items: Int32Array.from({ length: 8 }, (_, at) => at),
    scores: Float32Array.from({ length: 8 }, (_, at) => 8 - at),
  };

  it('keeps the order at 0, and alternates where likeness counts', () => {
    expect([...diverse(ranking, unit, 4, 0).items]).toEqual([0, 1, 2, 3]);
    const { items, scores } = diverse(ranking, unit, 4, 0.9);
    // The best of each way first; then both ways are taken, and the better ones come.
    expect([...items]).toEqual([0, 4, 1, 2]);
    expect([...scores]).toEqual([...items].map((item) => 8 - item));
  });

  it('begins with the best item, names none twice, and is no longer than what there is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 12 }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (k, diversity) => {
          const { items } = diverse(ranking, unit, k, diversity);
          expect(items.length).toBe(Math.min(k, 8));
          expect(new Set(items).size).toBe(items.length);
          if (items.length > 0) expect(items[0]).toBe(0);
        },
      ),
    );
    expect(
      diverse({ items: new Int32Array(0), scores: new Float32Array(0) }, unit, 3, 0.5).items.length,
    ).toBe(0);
  });
});
