import { DecodeError, parseJson, UsageError, utf8 } from '@tutti/base';

/** One thing that a person did with one item. */
export interface Interaction {
  /** The app's own id, 1 to 200 characters. */
  readonly item: string;
  /** What was done, in the app's words: like, watch, buy; `undo` takes back what was recorded of the item before. */
  readonly kind?: string;
  /** What the person gave it, on the app's own scale: what models of ratings train on. */
  readonly rating?: number;
  /** Milliseconds since the epoch; now, when left out. */
  readonly at?: number;
}

/** @throws {UsageError} naming what is not as {@link Interaction} says; the whole list is refused then. */
export function checkInteractions(list: readonly unknown[]): asserts list is readonly Interaction[] {
  for (const entry of list) {
    if (typeof entry !== 'object' || entry === null)
      throw new UsageError(
        `an interaction is { item, kind?, rating?, at? }, not ${entry === null ? 'null' : typeof entry}`,
      );
    const { item, kind, rating, at } = entry as Record<string, unknown>;
    if (typeof item !== 'string' || item.length < 1 || item.length > 200)
      throw new UsageError('item: an id of 1 to 200 characters is needed');
    if (kind !== undefined && (typeof kind !== 'string' || kind.length > 50))
      throw new UsageError('kind: a text of at most 50 characters is needed');
    if (rating !== undefined && !Number.isFinite(rating))
      throw new UsageError('rating: a finite number is needed');
    if (at !== undefined && !Number.isFinite(at))
      throw new UsageError('at: a time in milliseconds since the epoch is needed');
  }
}

/** Interactions as one record of a log. */
export const encodeInteractions = (list: readonly Interaction[]): Uint8Array => utf8(JSON.stringify(list));

/** Interactions of one record. @throws {DecodeError} when it is not one. */
export function decodeInteractions(bytes: Uint8Array): Interaction[] {
  const value = parseJson(bytes, 'interactions');
  if (!Array.isArray(value)) throw new DecodeError('interactions', 'is not a list');
  return value.map((entry: unknown): Interaction => {
    if (typeof entry !== 'object' || entry === null || !('item' in entry) || typeof entry.item !== 'string')
      throw new DecodeError('interactions.item', 'is not text');
    if ('rating' in entry && !Number.isFinite(entry.rating))
      throw new DecodeError('interactions.rating', 'is not a finite number');
    return entry as Interaction;
  });
}
