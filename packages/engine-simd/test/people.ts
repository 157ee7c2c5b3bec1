import { keepLocal, seededRandom, type LocalOnly } from '@tutti/base';
import {
  createModel,
  initialShared,
  keptUpdate,
  type LoadedModel,
  type LocalUpdate,
  type Model,
  type ModelInput,
  type Ranking,
  resolveModelConfig,
} from '@tutti/model';

/** Families, and sizes that are and are not whole vectors. */
export const FAMILIES: readonly (readonly [string, ModelInput])[] = [
  ['mf d=8', { family: 'mf', dimension: 8 }],
  ['mf d=7', { family: 'mf', dimension: 7 }],
  ['gmf d=6', { family: 'gmf', dimension: 6, batchSize: 16 }],
  ['mlp d=8 12-8', { family: 'mlp', dimension: 8, hidden: [12, 8], batchSize: 32 }],
  ['mlp d=7 9, proximal', { family: 'mlp', dimension: 7, hidden: [9], batchSize: 50, proximal: 0.2 }],
  ['neumf d=8 16-8', { family: 'neumf', dimension: 8, hidden: [16, 8], batchSize: 32 }],
  ['neumf d=5 9-6-3', { family: 'neumf', dimension: 5, hidden: [9, 6, 3], batchSize: 200, epochs: 1 }],
  ['neumf d=3 5, proximal', { family: 'neumf', dimension: 3, hidden: [5], batchSize: 7, proximal: 0.5 }],
];

/** A model over `items` items with every default filled in. */
export const modelOf = (input: ModelInput, items: number): Model =>
  createModel(resolveModelConfig(input, { items, meanHistory: 10 }), items);

/** Weights that no family starts with: no column is zero, so nothing hides behind a factor of 0. */
export const weightsOf = (model: Model): Float32Array =>
  initialShared(model, seededRandom('weights')).map((value, i) => value + 0.02 * Math.sin(i));

export const person = (...items: number[]): { positives: LocalOnly<Int32Array> } => ({
  positives: keepLocal(Int32Array.from(items)),
});

/** Largest distance of two numbers in the same place; infinite for vectors of different lengths. */
export const distance = (a: Float32Array, b: Float32Array): number =>
  a.length === b.length
    ? a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0)
    : Number.POSITIVE_INFINITY;

/** Everything that a loaded model says about one person. */
export interface Told {
  readonly vector: Float32Array;
  readonly update: LocalUpdate;
  readonly fresh: LocalUpdate;
  readonly scores: Float32Array;
  readonly some: Float32Array;
  readonly ranking: Ranking;
}

/** Asks `loaded` everything, with fixed seeds. */
export async function ask(loaded: LoadedModel, data: { positives: LocalOnly<Int32Array> }): Promise<Told> {
  const vector = await loaded.personalize(undefined, data, seededRandom('fit'));
  return {
    vector,
    update: keptUpdate(await loaded.train(vector, data, seededRandom('train'))),
    fresh: keptUpdate(await loaded.train(undefined, data, seededRandom('fresh'))),
    scores: await loaded.score(vector),
    some: await loaded.score(vector, Int32Array.of(3, 0, 3, 1)),
    ranking: await loaded.rank(vector, { k: 5, exclude: data.positives }),
  };
}
