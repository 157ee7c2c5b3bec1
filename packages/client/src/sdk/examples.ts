import { keepLocal, seededRandom } from '@tutti/base';
import type { LocalExamples } from '../ports.ts';
import type { Catalogue } from './catalogue.ts';
import type { Interaction } from './interactions.ts';

/** Negatives that a held-out item is ranked among. */
const CANDIDATES = 99;

/** Fewest items of a person for one of them to be held out. */
const LEAST_FOR_HELD_OUT = 4;

/** The item that a device measures itself on, and what it is ranked among. */
export interface HeldOut {
  readonly item: string;
  readonly candidates: readonly string[];
  readonly rating?: number;
}

/**
 * What a device trains and measures on: the items that its person did something with.
 * @param id decides what a held-out item is ranked among, the same each time.
 * @param heldOut by default the latest item that the catalogue has.
 */
export function examplesOf(
  history: readonly Interaction[],
  catalogue: Catalogue,
  id: string,
  heldOut?: HeldOut,
): LocalExamples {
  const indexes = (items: readonly string[]): number[] =>
    items.flatMap((item) => catalogue.indexOf(item) ?? []);
  const own = [...new Set(indexes(history.map(({ item }) => item)))];
  const held =
    heldOut === undefined
      ? latest(own, catalogue.ids.length, id)
      : { item: catalogue.indexOf(heldOut.item), candidates: indexes(heldOut.candidates) };
  const ratings = ratingsIn(history, catalogue);
  const given = (items: readonly number[]): Pick<LocalExamples, 'ratings'> =>
    ratings.size === 0
      ? {}
      : { ratings: keepLocal(Float32Array.from(items, (item) => ratings.get(item) ?? Number.NaN)) };
  if (held?.item === undefined) return { positives: keepLocal(Int32Array.from(own)), ...given(own) };
  const positives = own.filter((item) => item !== held.item);
  const rating = heldOut?.rating ?? ratings.get(held.item);
  return {
    positives: keepLocal(Int32Array.from(positives)),
    ...given(positives),
    heldOut: keepLocal({
      item: held.item,
      candidates: Int32Array.from(held.candidates),
      ...(rating === undefined ? {} : { rating }),
    }),
  };
}

/** What the person gave items, each as they said it last. */
function ratingsIn(history: readonly Interaction[], catalogue: Catalogue): ReadonlyMap<number, number> {
  const ratings = new Map<number, number>();
  for (const { item, rating } of history) {
    const index = catalogue.indexOf(item);
    if (index !== undefined && rating !== undefined) ratings.set(index, rating);
  }
  return ratings;
}

/** The latest item, among others that this person never touched; the same ones each time. */
function latest(
  own: readonly number[],
  items: number,
  id: string,
): { item: number; candidates: number[] } | undefined {
  const item = own.at(-1);
  if (item === undefined || own.length < LEAST_FOR_HELD_OUT || items - own.length < CANDIDATES)
    return undefined;
  const random = seededRandom(`candidates ${id}`);
  const touched = new Set(own);
  const candidates = new Set<number>();
  while (candidates.size < CANDIDATES) {
    const candidate = random.int(items);
    if (!touched.has(candidate)) candidates.add(candidate);
  }
  return { item, candidates: [...candidates] };
}
