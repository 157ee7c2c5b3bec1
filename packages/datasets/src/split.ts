import { UsageError, seededRandom } from '@tutti/base';
import { CANDIDATES, drawCandidates } from './candidates.ts';
import { textsOf } from './item-texts.ts';
import { rowsOf } from './rows.ts';
import type { HeldOut, Interactions, ItemText, Ratings, SplitDataset } from './types.ts';

/** Fewest interactions a person needs to be kept: one each to train on, to choose by and to test on. */
export const MINIMUM_INTERACTIONS = 3;

/** How ratings become a split. */
export interface SplitOptions {
  /** For the candidates; equal seeds give equal candidates. Default 1. */
  readonly seed?: string | number;
  /**
   * Fewest distinct items a person needs; others are left out, and items that only they touched. At least 1. Default 3.
   * With 2 a person is tested but not validated; with 1 only trained on.
   */
  readonly minimumInteractions?: number;
  /** Ratings below are left out; default none is, as in the published implicit-feedback figures: rating is interest. */
  readonly minimumRating?: number;
  /** Candidates besides the held-out item. Default 99. */
  readonly candidates?: number;
}

/** What {@link leaveOneOut} takes beside the ratings. */
export interface LeaveOneOutOptions extends SplitOptions {
  readonly name: string;
  /** Titles and genres by the source's item id. */
  readonly texts?: ReadonlyMap<string, ItemText>;
  /** Keeps items that nobody touched, or only people who are left out. Default false. */
  readonly keepItems?: boolean;
}

/**
 * Splits by leaving one out: each person's latest interaction is the test item, the second latest the validation item,
 * the others train. Ties in time, and sources without times, go by the order of the lines: later in the file is later.
 * Of lines that repeat a person and item, the earliest counts. Users and items are indexed by first appearance.
 *
 * Candidates are drawn outside everything the person ever touched, as the published protocol does; training must draw
 * its own negatives from everything outside the training part.
 *
 * @throws {UsageError} where an option is out of range or nobody has enough interactions.
 * @see He et al., Neural Collaborative Filtering, WWW 2017, §4.1.
 */
export function leaveOneOut(ratings: Ratings, options: LeaveOneOutOptions): SplitDataset {
  const { minimumInteractions, minimumRating, candidates } = checked(options);
  const all = chronological(ratings, minimumRating);
  const { rows, itemIds } = compact(all, minimumInteractions, ratings.itemIds, options.keepItems ?? false);
  if (rows.users === 0) {
    throw new UsageError(
      `nobody in ${options.name} has ${minimumInteractions} interactions, the fewest that a person needs`,
    );
  }
  const random = seededRandom(options.seed ?? 1).fork('candidates');
  const heldOut = (fromEnd: number, least: number): HeldOut => {
    const positives = lastOf(rows, fromEnd, least);
    const { ratings } = rows;
    return {
      positives,
      negatives: drawCandidates(rows, positives, candidates, random.fork(fromEnd)),
      ...(ratings && {
        ratings: Float32Array.from(positives, (item, user) =>
          item < 0 ? Number.NaN : (ratings[(rows.offsets[user + 1] as number) - fromEnd] as number),
        ),
      }),
    };
  };
  return {
    name: options.name,
    users: rows.users,
    items: rows.items,
    interactions: rows.values.length,
    train: withoutLatest(rows),
    validation: heldOut(2, 3),
    test: heldOut(1, 2),
    validationInsideTrain: false,
    catalogue: { ids: itemIds, ...(options.texts && textsOf(itemIds, options.texts)) },
  };
}

function checked(options: LeaveOneOutOptions): {
  minimumInteractions: number;
  minimumRating: number;
  candidates: number;
} {
  const { minimumInteractions = MINIMUM_INTERACTIONS, candidates = CANDIDATES } = options;
  const { minimumRating = Number.NEGATIVE_INFINITY } = options;
  const whole = (name: string, value: number, most: number): void => {
    if (Number.isInteger(value) && value >= 1 && value <= most) return;
    throw new UsageError(`${name} is ${value}; a whole number from 1 to ${most} is needed`);
  };
  whole('minimumInteractions', minimumInteractions, 10_000);
  whole('candidates', candidates, 10_000);
  if (Number.isNaN(minimumRating)) throw new UsageError('minimumRating is NaN; a number is needed');
  return { minimumInteractions, minimumRating, candidates };
}

/** Rows of distinct items, oldest first. */
function chronological(source: Ratings, minimumRating: number): Interactions {
  const [users, items] = [source.userIds.length, source.itemIds.length];
  if (minimumRating === Number.NEGATIVE_INFINITY) return rowsOf(source, users, items);
  const { ratings, timestamps } = source;
  if (ratings === undefined) {
    throw new UsageError(`minimumRating is ${minimumRating}, but the data holds no ratings`);
  }
  const kept = (_: number, line: number): boolean => (ratings[line] as number) >= minimumRating;
  const pairs = {
    users: source.users.filter(kept),
    items: source.items.filter(kept),
    ratings: ratings.filter(kept),
  };
  return rowsOf(timestamps ? { ...pairs, timestamps: timestamps.filter(kept) } : pairs, users, items);
}

/** Leaves out short rows, then numbers anew the users and items that are left, in their old order. */
function compact(
  all: Interactions,
  minimum: number,
  ids: readonly string[],
  keepItems: boolean,
): { rows: Interactions; itemIds: string[] } {
  const kept = Array.from({ length: all.users }, (_, user) => user).filter(
    (user) => (all.offsets[user + 1] as number) - (all.offsets[user] as number) >= minimum,
  );
  const rows = pickRows(all, kept, (user) => [all.offsets[user] as number, all.offsets[user + 1] as number]);
  const used = new Uint8Array(all.items).fill(keepItems ? 1 : 0);
  for (const item of rows.values) used[item] = 1;
  const indexOf = new Int32Array(all.items);
  let items = 0;
  for (let item = 0; item < all.items; item++) if (used[item] === 1) indexOf[item] = items++;
  const values = rows.values.map((item) => indexOf[item] as number);
  return { rows: { ...rows, items, values }, itemIds: ids.filter((_, item) => used[item] === 1) };
}

/** For each row of at least `least` the item that is `fromEnd` from its end, else −1. */
function lastOf(rows: Interactions, fromEnd: number, least: number): Int32Array {
  return Int32Array.from({ length: rows.users }, (_, user) => {
    const [from, to] = [rows.offsets[user] as number, rows.offsets[user + 1] as number];
    return to - from >= least ? (rows.values[to - fromEnd] as number) : -1;
  });
}

/** Rows without what is held out: the last two of three and more, the last of two. */
function withoutLatest(rows: Interactions): Interactions {
  const all = Array.from({ length: rows.users }, (_, user) => user);
  return pickRows(rows, all, (user) => {
    const [from, to] = [rows.offsets[user] as number, rows.offsets[user + 1] as number];
    return [from, to - from >= 3 ? to - 2 : Math.min(from + 1, to)];
  });
}

/** New rows from the stretches of `rows` that `stretchOf` gives for each of `users`. */
function pickRows(
  rows: Interactions,
  users: readonly number[],
  stretchOf: (user: number) => [from: number, to: number],
): Interactions {
  const stretches = users.map(stretchOf);
  const offsets = new Int32Array(users.length + 1);
  stretches.forEach(([from, to], index) => (offsets[index + 1] = (offsets[index] as number) + to - from));
  const values = new Int32Array(offsets.at(-1) as number);
  stretches.forEach(([from, to], index) => values.set(rows.values.subarray(from, to), offsets[index]));
  const from = <List extends Float32Array | Float64Array>(source: List, to: List): List => {
    stretches.forEach(([start, end], index) => to.set(source.subarray(start, end), offsets[index]));
    return to;
  };
  const { timestamps, ratings } = rows;
  return {
    users: users.length,
    items: rows.items,
    offsets,
    values,
    ...(timestamps && { timestamps: from(timestamps, new Float64Array(values.length)) }),
    ...(ratings && { ratings: from(ratings, new Float32Array(values.length)) }),
  };
}
