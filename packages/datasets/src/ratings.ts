import { parse } from 'csv-parse/sync';
import { DecodeError } from '@tutti/base';
import { nameField, LineError, linesOf, numberField } from './lines.ts';
import { LEAST_INTERACTIONS, leaveOneOut } from './split.ts';
import type { Catalogue, Interaction, SplitDataset } from './types.ts';

/** One line of a ratings file, by the file's own names. */
export interface Rating {
  readonly user: string;
  readonly item: string;
  readonly at: number;
}

/** Titles and genres by the file's own item names. */
export type ItemFacts = ReadonlyMap<string, { readonly title: string; readonly genres: readonly string[] }>;

/** Lines of `user SEP item SEP rating SEP timestamp` (MovieLens 100K: tab; 1M: `::`). */
export function parseSeparated(text: string, separator: string, file: string): Rating[] {
  const ratings: Rating[] = [];
  for (const [line, number] of linesOf(text)) {
    const [user, item, , at] = line.split(separator);
    ratings.push({
      user: nameField(user, file, number, 'user'),
      item: nameField(item, file, number, 'item'),
      at: at === undefined ? number : numberField(at, file, number, 'timestamp'),
    });
  }
  return ratings;
}

const COLUMNS = {
  user: ['user', 'userid', 'user_id', 'u'],
  item: ['item', 'itemid', 'item_id', 'movieid', 'movie_id', 'artistid', 'artist_id', 'productid', 'product_id', 'i'],
  at: ['timestamp', 'time', 'at', 'date', 'ts'],
};

/** A CSV with a header: a user and an item column by any usual name, a timestamp where there is one. */
export function parseCsv(text: string, file: string): Rating[] {
  const rows = csvRows(text, file);
  const header = (rows[0] ?? []).map((name) => name.trim().toLowerCase());
  const column = (names: readonly string[]): number => header.findIndex((name) => names.includes(name));
  const user = column(COLUMNS.user);
  const item = column(COLUMNS.item);
  const at = column(COLUMNS.at);
  if (user < 0 || item < 0) {
    throw new LineError(file, 1, 'header', `has the columns ${header.join(', ')}; one of ${COLUMNS.user.join('/')} and one of ${COLUMNS.item.join('/')} are needed`);
  }
  return rows.slice(1).map((row, index) => ({
    user: nameField(row[user], file, index + 2, 'user'),
    item: nameField(row[item], file, index + 2, 'item'),
    at: at < 0 ? index : timeField(row[at], file, index + 2),
  }));
}

function timeField(text: string | undefined, file: string, line: number): number {
  const date = text !== undefined && /\d-\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? numberField(text, file, line, 'timestamp') : date;
}

/** All rows of a CSV text. @throws {DecodeError} naming the line where its quoting or number of columns breaks. */
export function csvRows(text: string, file: string): string[][] {
  try {
    return parse(text, { bom: true, skip_empty_lines: true, max_record_size: 65_536 });
  } catch (cause) {
    throw new DecodeError(file, cause instanceof Error ? cause.message : 'is not CSV', { cause });
  }
}

/** What a data set is made with. */
export interface RatingsOptions {
  readonly name: string;
  readonly seed: number | string;
  readonly minimumInteractions?: number;
  readonly facts?: ItemFacts;
}

/**
 * Ratings as likes: each (user, item) pair counts once, at its first time; people with fewer than `minimumInteractions`
 * (default and least 3) are left out; people and items are numbered in the order of first appearance.
 */
export function datasetOfRatings(ratings: readonly Rating[], options: RatingsOptions): SplitDataset {
  const least = Math.max(LEAST_INTERACTIONS, options.minimumInteractions ?? LEAST_INTERACTIONS);
  const byUser = new Map<string, Map<string, number>>();
  for (const { user, item, at } of ratings) {
    const own = byUser.get(user) ?? new Map<string, number>();
    if (!own.has(item)) own.set(item, at);
    byUser.set(user, own);
  }
  const kept = [...byUser].filter(([, own]) => own.size >= least);
  if (kept.length === 0) throw new DecodeError(options.name, `nobody has ${least} or more interactions`);
  const itemIndex = new Map<string, number>();
  for (const { user, item } of ratings) {
    if ((byUser.get(user)?.size ?? 0) >= least && !itemIndex.has(item)) itemIndex.set(item, itemIndex.size);
  }
  const interactions = kept.flatMap(([, own], user): Interaction[] =>
    [...own].map(([item, at]) => ({ user, item: itemIndex.get(item) as number, at })),
  );
  const ids = [...itemIndex.keys()];
  return {
    name: options.name,
    users: kept.length,
    items: ids.length,
    interactions: interactions.length,
    ...leaveOneOut(interactions, kept.length, ids.length, options.seed),
    validationInsideTrain: false,
    catalogue: catalogueOf(ids, options.facts),
    userNames: kept.map(([user]) => `person ${user}`),
  };
}

/** A catalogue of `ids` with what is known of them. */
export function catalogueOf(ids: readonly string[], facts: ItemFacts | undefined): Catalogue {
  if (facts === undefined || facts.size === 0) return { ids };
  return {
    ids,
    titles: ids.map((id) => facts.get(id)?.title ?? id),
    genres: ids.map((id) => facts.get(id)?.genres ?? []),
  };
}
