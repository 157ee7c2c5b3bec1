import { keepLocal, seededRandom } from '@tutti/base';
import { generateFilmShelf } from '@tutti/datasets';
import { openNodeEngine } from '@tutti/engine-simd/node';
import {
  averageScores,
  createModel,
  decodeCheckpoint,
  itemVectors,
  productOf,
  reasonsFor,
  resolveModelConfig,
  unitVectors,
  type LoadedModel,
  type Model,
  type ModelFamily,
} from '@tutti/model';
import { describe, expect, it } from 'vitest';
import { simulate } from './index.ts';

/** What a device makes of a model that a federation trained: why, what is alike, what everybody likes. */

const data = generateFilmShelf({ seed: 1, users: 240, items: 400 });
const genres = data.catalogue.genres ?? [];
const alike = (one: number, other: number): number =>
  (genres[one] ?? []).some((genre) => (genres[other] ?? []).includes(genre)) ? 1 : 0;
const ownOf = (user: number) =>
  keepLocal(data.train.values.slice(data.train.offsets[user], data.train.offsets[user + 1]));
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

async function trained(
  family: ModelFamily,
): Promise<{ model: Model; shared: Float32Array; loaded: LoadedModel }> {
  const input = { family, dimension: 16 };
  let checkpoint = new Uint8Array(0);
  await simulate({
    ...{ dataset: data, model: input, rounds: 40, cohort: 40, protocol: 'plain', seed: 1 },
    checkpointEvery: 40,
    onCheckpoint: async (_round, bytes) => void (checkpoint = bytes.slice()),
  });
  const facts = { items: data.items, meanHistory: data.train.values.length / data.users };
  const model = createModel(resolveModelConfig(input, facts), data.items);
  const { shared } = decodeCheckpoint(checkpoint, model.layout);
  const { engine } = await openNodeEngine({ model });
  return { model, shared, loaded: await engine.load(shared) };
}

describe.each(['mf', 'mlp'] as const)('a trained %s', (family) => {
  it('says why, what is alike, and what everybody likes', { timeout: 60_000 }, async () => {
    const { model, shared, loaded } = await trained(family);
    const unit = unitVectors(itemVectors(model, shared));
    const [because, byChance, similar]: number[][] = [[], [], []];
    for (let user = 0; user < 60; user++) {
      const positives = ownOf(user);
      const local = await loaded.personalize(undefined, { positives }, seededRandom(1));
      const { items } = await loaded.rank(local, { k: 5, exclude: positives });
      const asked = { model, loaded, local, positives, items, random: seededRandom(2) };
      const weights = await reasonsFor(asked);
      for (const [place, item] of items.entries()) {
        const own = weights.subarray(place * positives.length, (place + 1) * positives.length);
        because?.push(alike(item, positives[own.indexOf(Math.max(...own))] as number));
        byChance?.push(mean(Array.from(positives, (other) => alike(item, other))));
        const nearest = Array.from({ length: data.items }, (_, other) =>
          other === item ? -1 : productOf(unit, item, other),
        );
        similar?.push(alike(item, nearest.indexOf(Math.max(...nearest))));
      }
    }
    // 300 lists of five: a share strays by .02.
    expect(mean(byChance as number[])).toBeLessThan(0.65);
    expect(mean(because as number[])).toBeGreaterThan(0.85);
    expect(mean(similar as number[])).toBeGreaterThan(0.85);

    const touched = new Float64Array(data.items);
    for (const item of data.train.values) touched[item] = (touched[item] as number) + 1;
    const everybody = await averageScores(model, loaded, itemVectors(model, shared), seededRandom(1));
    const order = [...everybody.keys()].sort(
      (one, other) => (everybody[other] as number) - (everybody[one] as number),
    );
    const popular = (items: readonly number[]): number => mean(items.map((item) => touched[item] as number));
    expect(popular(order.slice(0, 40))).toBeGreaterThan(1.5 * popular(order));
  });
});
