import { UsageError } from '@tutti/base';
import type { ContentConfig } from '../types.ts';

/** What a catalogue says of its items, one entry an item. */
export interface ItemContent {
  readonly ids: readonly string[];
  readonly titles?: readonly string[] | undefined;
  readonly genres?: readonly (readonly string[])[] | undefined;
  /** Numbers that came with each item, of a picture or a text; none for an item without. */
  readonly vectors?: readonly (readonly number[])[] | undefined;
}

/** A matrix of items × columns, most of it zeros: row i is `values[n]` in column `columns[n]` for n from offsets[i] up to offsets[i + 1]. */
export interface ItemFeatures {
  readonly columns: Int32Array;
  readonly values: Float32Array;
  readonly offsets: Int32Array;
  readonly width: number;
}

/** Columns: one that every item has, the buckets, the numbers of vectors. */
export const featureWidth = ({ buckets, vectorLength }: ContentConfig): number => 1 + buckets + vectorLength;

/**
 * The features of a catalogue's items. A row is 1 in the column that all share; its genres together have length `genreWeight`, the words of its title
 * `wordWeight`, its vector `vectorWeight`.
 *
 * A genre g is the token `genre:g`, a word w of a title `word:w`; both in lower case. Words are runs of letters and digits of any script. A token's bucket is its FNV-1a hash (32 bits, over
 * UTF-8) modulo the number of buckets.
 *
 * @throws {UsageError} naming the item whose vector has another length than the model, or holds what is no finite number; and where
 *   no item says anything of itself.
 */
export function contentFeatures(config: ContentConfig, content: ItemContent): ItemFeatures {
  const { ids, titles, genres, vectors } = content;
  const columns: number[] = [];
  const values: number[] = [];
  const offsets = new Int32Array(ids.length + 1);
  const bucketOf = openBuckets(config.buckets);
  ids.forEach((id, item) => {
    columns.push(0);
    values.push(1);
    const addTokens = (tokens: readonly string[], weight: number): void => {
      const buckets = new Set(tokens.map(bucketOf));
      for (const bucket of buckets) {
        columns.push(bucket);
        values.push(weight / Math.sqrt(buckets.size));
      }
    };
    if (config.genreWeight > 0) addTokens(genreTokens(genres?.[item]), config.genreWeight);
    if (config.wordWeight > 0) addTokens(wordTokens(titles?.[item]), config.wordWeight);
    const vector = vectors?.[item] ?? [];
    checkVector(id, vector, config.vectorLength);
    const length = Math.hypot(...vector);
    vector.forEach((value, at) => {
      if (value === 0) return;
      columns.push(1 + config.buckets + at);
      values.push((config.vectorWeight * value) / length);
    });
    offsets[item + 1] = columns.length;
  });
  if (columns.length === ids.length)
    throw new UsageError(
      'model content: no item has a genre, a title or a vector; give the catalogue some, or take the family mf',
    );
  return {
    columns: Int32Array.from(columns),
    values: Float32Array.from(values),
    offsets,
    width: featureWidth(config),
  };
}

/** @throws {UsageError} naming the item. An item without a vector is none that is wrong. */
function checkVector(id: string, vector: readonly number[], length: number): void {
  if (vector.length === 0) return;
  if (vector.length !== length)
    throw new UsageError(
      `catalogue.vectors: that of item ${id} has ${vector.length} numbers; ${length} are expected (model.vectorLength)`,
    );
  const wrong = vector.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new UsageError(
      `catalogue.vectors: that of item ${id} has ${String(vector[wrong])} at place ${wrong}; a finite number is needed`,
    );
}

const genreTokens = (genres: readonly string[] = []): string[] =>
  genres.map((genre) => `genre:${genre.toLowerCase()}`);

const wordTokens = (title = ''): string[] =>
  (title.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map((word) => `word:${word}`);

/** Which column a token has. A million items say mostly the same words: each is hashed once. */
function openBuckets(buckets: number): (token: string) => number {
  const known = new Map<string, number>();
  return (token) => {
    const there = known.get(token);
    if (there !== undefined) return there;
    const bucket = 1 + (hashOf(token) % buckets);
    known.set(token, bucket);
    return bucket;
  };
}

const encoder = new TextEncoder();

/** FNV-1a, 32 bits, over UTF-8. */
export function hashOf(token: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(token)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Adds `factor` · X_i·P to row i of `table`, for every row; P is columns × d. */
export function addContentInto(
  table: Float32Array | Float64Array,
  { offsets, columns, values }: ItemFeatures,
  weights: Float32Array | Float64Array,
  d: number,
  factor = 1,
): void {
  for (let item = 0; item + 1 < offsets.length; item++)
    for (let n = offsets[item] as number; n < (offsets[item + 1] as number); n++) {
      const from = (columns[n] as number) * d;
      const value = factor * (values[n] as number);
      for (let k = 0; k < d; k++)
        table[item * d + k] = (table[item * d + k] as number) + value * (weights[from + k] as number);
    }
}
