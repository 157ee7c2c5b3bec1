import { DecodeError, UsageError } from '@tutti/base';
import type { Population, SharedHeldOut, SharedRows } from '../population.ts';

/** Bytes of one shard's data at most: a host keeps them in memory, and they cross the wire once. */
const MOST_BYTES = 2 ** 28;

/** Which users a shard has: those whose number leaves `shard` when divided by `shards`. */
export interface ShardOf {
  readonly shard: number;
  readonly shards: number;
}

/** The data of one shard's users as bytes, little-endian: everybody keeps their number, others have empty rows. */
export interface PopulationParts {
  readonly names: readonly string[];
  readonly parts: readonly Uint8Array[];
}

/** @throws {UsageError} where they are too many. */
export function populationParts(population: Population, of: ShardOf): PopulationParts {
  const { train, validation, test } = population;
  const entries: [string, Int32Array | Float32Array][] = [
    ...rowsEntries('train', train, of, train.ratings),
    ...(validation === undefined ? [] : heldOutEntries('validation', validation, of)),
    ...heldOutEntries('test', test, of),
  ];
  const bytes = entries.reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
  if (bytes > MOST_BYTES)
    throw new UsageError(
      `the data of one worker thread have ${bytes} bytes; at most ${MOST_BYTES} travel: start more workers, or with more --threads`,
    );
  return {
    names: entries.map(([name]) => name),
    parts: entries.map(([, array]) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)),
  };
}

function rowsEntries(
  name: string,
  { offsets, values }: SharedRows,
  { shard, shards }: ShardOf,
  ratings: Float32Array | undefined,
): [string, Int32Array | Float32Array][] {
  const ownOffsets = new Int32Array(offsets.length);
  const own = (user: number): boolean => user % shards === shard;
  for (let user = 0; user + 1 < offsets.length; user++) {
    const length = own(user) ? (offsets[user + 1] as number) - (offsets[user] as number) : 0;
    ownOffsets[user + 1] = (ownOffsets[user] as number) + length;
  }
  const total = ownOffsets.at(-1) as number;
  const copyRows = <A extends Int32Array | Float32Array>(from: A, into: A): A => {
    for (let user = shard; user + 1 < offsets.length; user += shards)
      into.set(from.subarray(offsets[user], offsets[user + 1]), ownOffsets[user]);
    return into;
  };
  return [
    [`${name}.offsets`, ownOffsets],
    [`${name}.values`, copyRows(values, new Int32Array(total))],
    ...(ratings === undefined
      ? []
      : [[`${name}.ratings`, copyRows(ratings, new Float32Array(total))] as [string, Float32Array]]),
  ];
}

function heldOutEntries(
  name: string,
  { positives, candidates, ratings }: SharedHeldOut,
  of: ShardOf,
): [string, Int32Array | Float32Array][] {
  const own = (user: number): boolean => user % of.shards === of.shard;
  return [
    [`${name}.positives`, positives.map((item, user) => (own(user) ? item : -1))],
    ...rowsEntries(`${name}.candidates`, candidates, of, undefined),
    ...(ratings === undefined
      ? []
      : [
          [`${name}.given`, ratings.map((given, user) => (own(user) ? given : Number.NaN))] as [
            string,
            Float32Array,
          ],
        ]),
  ];
}

/** The data that {@link populationParts} took apart. @throws {DecodeError} naming what is missing or of the wrong length. */
export function populationOf(
  { users, items }: { readonly users: number; readonly items: number },
  { names, parts }: PopulationParts,
): Population {
  const words = (name: string, length?: number): Int32Array => {
    const part = parts[names.indexOf(name)];
    if (part === undefined || part.length % 4 !== 0 || (length !== undefined && part.length !== 4 * length))
      throw new DecodeError(
        name,
        `has ${part?.length ?? 'no'} bytes; ${length ?? 'whole'} words are expected`,
      );
    return new Int32Array(Uint8Array.from(part).buffer);
  };
  const floats = (name: string): Float32Array | undefined =>
    names.includes(name) ? new Float32Array(words(name).buffer) : undefined;
  const rows = (name: string): SharedRows => {
    const offsets = words(`${name}.offsets`, users + 1);
    return { offsets, values: words(`${name}.values`, offsets.at(-1)) };
  };
  const heldOut = (name: string): SharedHeldOut => {
    const ratings = floats(`${name}.given`);
    return {
      positives: words(`${name}.positives`, users),
      candidates: rows(`${name}.candidates`),
      ...(ratings && { ratings }),
    };
  };
  const ratings = floats('train.ratings');
  return {
    ...{ users, items, train: { ...rows('train'), ...(ratings && { ratings }) }, test: heldOut('test') },
    validation: names.includes('validation.positives') ? heldOut('validation') : undefined,
  };
}
