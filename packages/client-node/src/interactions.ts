import { DecodeError, UsageError, utf8 } from '@tutti/base';

/** One thing that a person did with one item. */
export interface Interaction {
  /** The app's own id, 1 to 200 characters. */
  readonly item: string;
  /** What was done, in the app's words: like, watch, buy. */
  readonly kind?: string;
  /** Milliseconds since the epoch; now, when left out. */
  readonly at?: number;
}

/** Interactions as one record of a log. @throws {UsageError} when an id is empty or too long. */
export function encodeInteractions(list: readonly Interaction[]): Uint8Array {
  for (const { item, kind = '', at = 0 } of list) {
    if (typeof item !== 'string' || item.length < 1 || item.length > 200)
      throw new UsageError('an item id has 1 to 200 characters');
    if (kind.length > 50) throw new UsageError(`a kind of ${kind.length} characters; at most 50 are allowed`);
    if (!Number.isFinite(at)) throw new UsageError('the time of an interaction is not a number');
  }
  return utf8(JSON.stringify(list));
}

/** Interactions of one record. @throws {DecodeError} when it is not one. */
export function decodeInteractions(bytes: Uint8Array): Interaction[] {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DecodeError('interactions', 'is not JSON', { cause });
  }
  if (!Array.isArray(value)) throw new DecodeError('interactions', 'is not a list');
  return value.map((entry: unknown): Interaction => {
    if (typeof entry !== 'object' || entry === null || !('item' in entry) || typeof entry.item !== 'string')
      throw new DecodeError('interactions.item', 'is not text');
    return entry as Interaction;
  });
}
