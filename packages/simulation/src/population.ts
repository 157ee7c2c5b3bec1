import { keepLocal, type LocalOnly } from '@tutti/base';
import type { HeldOut, Interactions, SplitDataset } from '@tutti/datasets';
import type { TrainingRows } from '@tutti/evaluation';
import type { Fit } from './options.ts';

/** Rows of different lengths in two flat arrays that threads share: row u is values[offsets[u] .. offsets[u + 1]). */
export interface SharedRows {
  readonly offsets: Int32Array;
  readonly values: Int32Array;
}

/** A held-out item a person (−1 where there is none) and the candidates it is ranked among. */
export interface SharedHeldOut {
  readonly positives: Int32Array;
  readonly candidates: SharedRows;
  /** What each person gave their item, where the data hold ratings. */
  readonly ratings?: Float32Array;
}

/** The population's data as worker threads see it: shared memory, each row belongs to one simulated device. */
export interface Population {
  readonly users: number;
  readonly items: number;
  /** What each person trains on, under the fit that was asked for. */
  readonly train: SharedRows & { readonly ratings?: Float32Array };
  /** What the device measures itself on in a round; absent where those items are inside the training part. */
  readonly validation: SharedHeldOut | undefined;
  readonly test: SharedHeldOut;
}

/** Puts `dataset` into shared memory under `fit`. */
export function sharePopulation(dataset: SplitDataset, fit: Fit): Population {
  const { train, validation } = partsOf(dataset, fit);
  return {
    users: dataset.users,
    items: dataset.items,
    train: { offsets: shared(train.offsets), values: shared(train.values), ...ratingsOf(train) },
    validation: validation === undefined ? undefined : shareHeldOut(validation),
    test: shareHeldOut(dataset.test),
  };
}

/** What people train on under `fit`, and the validation items, where they are not among it. */
export function partsOf(
  dataset: SplitDataset,
  fit: Fit,
): { readonly train: TrainingRows; readonly validation: HeldOut | undefined } {
  const { users, items, validation, validationInsideTrain } = dataset;
  const drop = fit === 'train-only' && validationInsideTrain && validation !== undefined;
  const { offsets, values, ratings } = drop
    ? withoutItems(dataset.train, validation.positives)
    : dataset.train;
  const inside = validationInsideTrain && !drop;
  return {
    train: { users, items, offsets, values, ...(ratings && { ratings }) },
    validation: inside ? undefined : validation,
  };
}

/** What people of the population train on, as references take it. */
export function trainingRows({ users, items, train }: Population): TrainingRows {
  return { users, items, ...train };
}

/** Row `user`, a view into shared memory. */
export function rowOf(rows: SharedRows, user: number): LocalOnly<Int32Array> {
  return keepLocal(rows.values.subarray(rows.offsets[user], rows.offsets[user + 1]));
}

function shareHeldOut(heldOut: HeldOut): SharedHeldOut {
  const offsets = new Int32Array(heldOut.negatives.length + 1);
  heldOut.negatives.forEach((row, user) => (offsets[user + 1] = (offsets[user] as number) + row.length));
  const values = new Int32Array(offsets.at(-1) as number);
  heldOut.negatives.forEach((row, user) => values.set(row, offsets[user]));
  return {
    positives: shared(heldOut.positives),
    candidates: { offsets: shared(offsets), values: shared(values) },
    ...ratingsOf(heldOut),
  };
}

function ratingsOf({ ratings }: { readonly ratings?: Float32Array }): { ratings?: Float32Array } {
  if (ratings === undefined) return {};
  const copy = new Float32Array(new SharedArrayBuffer(ratings.byteLength));
  copy.set(ratings);
  return { ratings: copy };
}

/** Mean of what people gave; undefined where nobody gave anything. */
export function meanRatingOf({ train: { ratings } }: Population): number | undefined {
  const given = (ratings ?? new Float32Array(0)).filter((rating) => !Number.isNaN(rating));
  return given.length === 0 ? undefined : given.reduce((sum, rating) => sum + rating, 0) / given.length;
}

function withoutItems(
  train: Interactions,
  left: Int32Array,
): { offsets: Int32Array; values: Int32Array; ratings?: Float32Array } {
  const ratings: number[] = [];
  const offsets = new Int32Array(train.users + 1);
  const values: number[] = [];
  for (let user = 0; user < train.users; user++) {
    for (let at = train.offsets[user] as number; at < (train.offsets[user + 1] as number); at++) {
      if (train.values[at] === left[user]) continue;
      values.push(train.values[at] as number);
      if (train.ratings !== undefined) ratings.push(train.ratings[at] as number);
    }
    offsets[user + 1] = values.length;
  }
  return {
    offsets,
    values: Int32Array.from(values),
    ...(train.ratings && { ratings: Float32Array.from(ratings) }),
  };
}

function shared(source: Int32Array): Int32Array {
  const copy = new Int32Array(new SharedArrayBuffer(source.byteLength));
  copy.set(source);
  return copy;
}
