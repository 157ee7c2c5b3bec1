import {
  DecodeError,
  given,
  numberFrom,
  parseJson,
  type Rule,
  UsageError,
  utf8,
  wrongFields,
} from '@tutti/base';

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

const SHAPE = '{ item, kind?, rating?, at? }';

/** The latest time that a Date can be. */
const LATEST_MS = 8.64e15;

const text = (least: number, most: number): Rule => [
  (value) => typeof value === 'string' && value.length >= least && value.length <= most,
  `a text of ${least} to ${most} characters`,
];

const FIELDS: Readonly<Record<keyof Interaction, Rule>> = {
  item: text(1, 200),
  kind: text(0, 50),
  rating: [Number.isFinite, 'a finite number'],
  at: [numberFrom(0, LATEST_MS)[0], 'a time in milliseconds since the epoch'],
};

/** @throws {UsageError} naming what is not as {@link Interaction} says, and never its value; the whole list is refused then. */
export function checkInteractions(list: readonly unknown[]): asserts list is readonly Interaction[] {
  for (const entry of list) {
    if (typeof entry !== 'object' || entry === null) throw new UsageError(`what was given is not ${SHAPE}`);
    const [wrong] = wrongFields({ item: '', ...given(entry) }, FIELDS);
    if (wrong !== undefined) throw new UsageError(`${wrong[0]} is not ${wrong[2] ?? `a field of ${SHAPE}`}`);
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
