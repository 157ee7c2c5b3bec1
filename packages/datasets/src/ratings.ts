import { growingFloats, growingInts } from './growing.ts';
import { DatasetFormatError } from './errors.ts';
import { LineReader, type NamedBytes, type Separator } from './line-reader.ts';
import { MAX_INTERACTIONS, MAX_ITEMS, MAX_USERS } from './limits.ts';
import type { Ratings } from './types.ts';

/** Largest numeric id in a MovieLens file; ids are names, not indexes. */
const MAX_ID = 4_294_967_295;

/** Numbers ids by first appearance. */
export interface Numbering<Id> {
  indexOf(id: Id): number;
  ids(): string[];
}

/**
 * A numbering that refuses more than `most` ids.
 * @param refuse makes the error, from what is wrong.
 */
export function numbering<Id extends string | number>(
  most: number,
  refuse: (problem: string) => Error,
): Numbering<Id> {
  const indexes = new Map<Id, number>();
  return {
    indexOf(id) {
      const known = indexes.get(id);
      if (known !== undefined) return known;
      if (indexes.size === most) throw refuse(`is one more than the ${most} different ones allowed`);
      indexes.set(id, indexes.size);
      return indexes.size - 1;
    },
    ids: () => Array.from(indexes.keys(), String),
  };
}

/**
 * Ratings as GroupLens publishes them: `user, item, rating, timestamp` on a line, between tabs in `u.data` (100K) and
 * between `::` in `ratings.dat` (1M; 10M with halves of stars).
 * @throws {DatasetFormatError} at the first line that has another form, or where there is none.
 */
export function parseMovieLensRatings(source: NamedBytes, separator: Separator): Ratings {
  const reader = new LineReader(source, separator);
  const [users, items] = [growingInts(), growingInts()];
  const [ratings, timestamps] = [growingFloats(), growingFloats()];
  const userNumbers = numbering<number>(MAX_USERS, (problem) => reader.problem('user', problem));
  const itemNumbers = numbering<number>(MAX_ITEMS, (problem) => reader.problem('item', problem));
  while (reader.nextLine()) {
    if (users.length === MAX_INTERACTIONS) {
      throw reader.problem('line', `is one more than the ${MAX_INTERACTIONS} ratings allowed`);
    }
    users.push(userNumbers.indexOf(reader.wholeNumber('user', MAX_ID)));
    items.push(itemNumbers.indexOf(reader.wholeNumber('item', MAX_ID)));
    ratings.push(reader.number('rating'));
    timestamps.push(reader.wholeNumber('timestamp', Number.MAX_SAFE_INTEGER));
    if (reader.hasField()) throw reader.problem('line', 'goes on after the timestamp; 4 fields are allowed');
  }
  if (users.length === 0) {
    throw new DatasetFormatError({ file: source.file, line: 0, field: 'file' }, 'holds no rating');
  }
  return {
    users: users.finish(),
    items: items.finish(),
    ratings: ratings.finish(),
    timestamps: timestamps.finish(),
    userIds: userNumbers.ids(),
    itemIds: itemNumbers.ids(),
  };
}
