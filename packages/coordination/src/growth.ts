import { DecodeError, seededRandom } from '@tutti/base';
import {
  decodeSliceState,
  decodeStrategyState,
  encodeSliceState,
  encodeStrategyState,
  type StrategyState,
} from '@tutti/aggregation';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  initialShared,
  type Model,
  modelOfRows,
  putRowsInPlace,
} from '@tutti/model';
import { decodeTaskCatalogue, type TaskCatalogue } from './catalogue.ts';
import type { ContentModel } from './content-model.ts';
import { StaleTaskError } from './errors.ts';
import type { TaskHistory } from './history.ts';
import { fetchBlob, type Blobs } from './ports.ts';
import type { TaskConfig } from './task-config.ts';

/** What a task has after its catalogue changed. */
export interface Grown {
  readonly modelHash: string;
  readonly strategyHash?: string;
  readonly sliceHash?: string;
}

/**
 * The model and the states that follow a change of the catalogue: every row as it was, new ones behind them.
 * A new row begins where the mean of the items with its genres stands, each weighing by the share of genres that both have; without genres, or
 * where nobody shares one, at random like a first one. Of a content model, every row that nobody touched is what its content says now.
 *
 * @param from the catalogue before.
 * @throws {StaleTaskError} if the catalogue before is not the beginning of the one now, the model is another one, or noise that runs over
 *   many rounds runs over the rows that there were.
 */
export async function growTask(
  config: TaskConfig,
  history: TaskHistory,
  from: TaskCatalogue,
  blobs: Blobs,
  content?: ContentModel,
): Promise<Grown> {
  const { model, name } = config;
  const now = decodeTaskCatalogue(config.catalogue);
  if (from.ids.some((id, row) => now.ids[row] !== id)) throw new StaleTaskError(name);
  if (from.ids.length < now.ids.length && history.noiseDraws.some((draw) => draw !== undefined))
    throw new StaleTaskError(name, 'its noise runs over many rounds, and over the rows that it began with');
  const before = modelOfRows(model, from.ids.length);
  const old = await weightsOf(config, before, history, blobs);
  const { strategyHash, sliceHash } = history;
  const stored = strategyHash === undefined ? undefined : await fetchBlob(blobs, strategyHash);
  const { shared, state } = content?.grown(stored, old, before.items) ?? {
    shared: warmed(config, before, old, now),
    state: stored && grownStrategy(model, before, stored),
  };
  const metadata = { task: name, round: String(history.round) };
  const modelHash = await blobs.put(encodeCheckpoint({ layout: model.layout, shared, metadata }));
  return {
    modelHash,
    ...(state === undefined ? {} : { strategyHash: await blobs.put(state) }),
    ...(sliceHash === undefined
      ? {}
      : { sliceHash: await blobs.put(grownSlices(model, before, await fetchBlob(blobs, sliceHash))) }),
  };
}

async function weightsOf(
  { name }: TaskConfig,
  before: Model,
  { modelHash = '' }: TaskHistory,
  blobs: Blobs,
): Promise<Float32Array> {
  const bytes = await fetchBlob(blobs, modelHash);
  try {
    return decodeCheckpoint(bytes, before.layout).shared;
  } catch (error) {
    if (error instanceof DecodeError) throw new StaleTaskError(name);
    throw error;
  }
}

/** The first weights, with the old ones over them, and new rows where items like theirs are. */
function warmed(
  { model, seed }: TaskConfig,
  before: Model,
  old: Float32Array,
  { genres }: TaskCatalogue,
): Float32Array {
  const shared = initialShared(model, seededRandom(seed).fork('model'));
  putRowsInPlace(model, shared, firstRows(before.items), old);
  if (genres === undefined) return shared;
  for (let item = before.items; item < model.items; item++) {
    const weights = likenesses(genres, item, before.items);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total === 0) continue;
    for (const { role, offset, length } of model.layout.parameters) {
      if (role !== 'item-table') continue;
      const width = length / model.items;
      for (let at = 0; at < width; at++) {
        let sum = 0;
        for (const [other, weight] of weights.entries())
          if (weight > 0) sum += weight * (shared[offset + other * width + at] as number);
        shared[offset + item * width + at] = sum / total;
      }
    }
  }
  return shared;
}

const firstRows = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, row) => row);

/** For each of the first `count` items, how many of its genres and the item's both have, over those that either has (Jaccard). */
function likenesses(genres: readonly (readonly string[])[], item: number, count: number): Float64Array {
  const own = new Set(genres[item]);
  return Float64Array.from({ length: count }, (_, other) => {
    const theirs = genres[other] ?? [];
    const both = theirs.filter((genre) => own.has(genre)).length;
    return both === 0 ? 0 : both / (own.size + theirs.length - both);
  });
}

/** Moments of new rows are zero, as in the beginning. */
function grownStrategy(model: Model, before: Model, bytes: Uint8Array): Uint8Array {
  const { step, first, second }: StrategyState = decodeStrategyState(bytes);
  const grown = (moment: Float32Array): Float32Array => {
    if (moment.length !== before.layout.length) return moment;
    const longer = new Float32Array(model.layout.length);
    putRowsInPlace(model, longer, firstRows(before.items), moment);
    return longer;
  };
  return encodeStrategyState({ step, first: grown(first), second: grown(second) });
}

/** New rows were part of no update, and are as popular as nobody knows. */
function grownSlices(model: Model, before: Model, bytes: Uint8Array): Uint8Array {
  const { steps, popularity, head } = decodeSliceState(bytes, before.items);
  const [longerSteps, longerPopularity] = [new Uint32Array(model.items), new Float32Array(model.items)];
  longerSteps.set(steps);
  longerPopularity.set(popularity);
  return encodeSliceState({ steps: longerSteps, popularity: longerPopularity, head });
}
