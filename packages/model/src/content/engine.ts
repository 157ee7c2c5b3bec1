import { keepLocal, type LocalOnly, type Ranges } from '@tutti/base';
import { checkItems } from '../check-items.ts';
import type { ContentConfig, LoadedModel, LocalData, LocalUpdate, Model, TrainingEngine } from '../types.ts';
import { packPullInto, pullLength } from './pull.ts';

/**
 * The content family on a device: everything of a matrix factorisation over the item table, but for the delta, which is minus half the gradient of the
 * person's own loss in two parts: (1 − s)·w for each of their items, and w ⊗ w, from which the coordinator makes −a0·(w ⊗ w)·h
 * for the items that somebody has touched.
 *
 * @param open loads an item table as a matrix factorisation.
 */
export function contentEngine(
  model: Model,
  config: ContentConfig,
  engine: Omit<TrainingEngine, 'model'>,
): TrainingEngine {
  const tableLength = model.items * config.dimension;
  return {
    ...engine,
    model,
    async load(shared, whole) {
      const table = shared.slice(0, tableLength);
      const loaded = await engine.load(table, whole);
      return {
        ...methodsOf(loaded),
        train: contentTraining(model.items, config, loaded, squaresOf(table, config.dimension)),
      };
    },
  };
}

/** The methods of a model, which may stand on its prototype. */
function methodsOf(loaded: LoadedModel): Omit<LoadedModel, 'train'> {
  return {
    personalize: (local, data, random) => loaded.personalize(local, data, random),
    score: (local, items) => loaded.score(local, items),
    rank: (local, options) => loaded.rank(local, options),
    dispose: () => loaded.dispose(),
  };
}

function contentTraining(
  items: number,
  { dimension: d, unobservedWeight: a0 }: ContentConfig,
  loaded: LoadedModel,
  squares: Float64Array,
): LoadedModel['train'] {
  return async (local, data: LocalData, random): Promise<LocalUpdate> => {
    const { positives } = data;
    checkItems(positives, items);
    const vector = local ?? (await loaded.personalize(undefined, data, random));
    const scores = positives.length === 0 ? new Float32Array(0) : await loaded.score(vector, positives);
    const delta = new Float32Array(positives.length * d + pullLength(d));
    let loss = a0 * quadratic(squares, vector);
    for (let n = 0; n < positives.length; n++) {
      const missing = 1 - (scores[n] as number);
      loss += missing * missing;
      for (let k = 0; k < d; k++) delta[n * d + k] = missing * (vector[k] as number);
    }
    packPullInto(delta.subarray(positives.length * d), vector, 1);
    return {
      delta,
      ranges: keepLocal(rangesOf(positives, items, d)),
      local: vector,
      loss: loss / Math.max(1, positives.length + a0 * items),
      examples: positives.length,
      touchedRows: positives,
    };
  };
}

/** The person's rows of the table, in their order, and the packed products behind it. */
function rangesOf(positives: LocalOnly<Int32Array>, items: number, d: number): Ranges {
  const ranges = new Int32Array(2 * positives.length + 2);
  positives.forEach((item, n) => ranges.set([item * d, d], 2 * n));
  ranges.set([items * d, pullLength(d)], 2 * positives.length);
  return ranges;
}

/** HᵀH. */
function squaresOf(table: Float32Array, d: number): Float64Array {
  const squares = new Float64Array(d * d);
  for (let at = 0; at < table.length; at += d)
    for (let i = 0; i < d; i++) {
      const value = table[at + i] as number;
      for (let j = 0; j <= i; j++)
        squares[i * d + j] = (squares[i * d + j] as number) + value * (table[at + j] as number);
    }
  return squares;
}

/** wᵀ·S·w, of S only what is not above its diagonal. */
function quadratic(squares: Float64Array, vector: Float32Array): number {
  const d = vector.length;
  let sum = 0;
  for (let i = 0; i < d; i++)
    for (let j = 0; j <= i; j++)
      sum +=
        (i === j ? 1 : 2) * (squares[i * d + j] as number) * (vector[i] as number) * (vector[j] as number);
  return sum;
}
