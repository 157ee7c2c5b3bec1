import { CsvError, parse } from 'csv-parse/sync';
import { DatasetFormatError, excerpt, type Place } from './errors.ts';
import { growingFloats, growingInts } from './growing.ts';
import { genresOf, type ItemTexts } from './item-texts.ts';
import type { NamedBytes } from './line-reader.ts';
import { MAX_INTERACTIONS, MAX_ITEMS, MAX_LINE_BYTES, MAX_TEXT, MAX_USERS } from './limits.ts';
import { numbering } from './ratings.ts';
import type { ItemText, Ratings } from './types.ts';

/** Column names that are understood, written in lower case without spaces, `_`, `-`, and what follows a colon. */
const USER_COLUMNS = [
  'user',
  'userid',
  'uid',
  'customer',
  'customerid',
  'reviewer',
  'reviewerid',
  'person',
  'member',
];
const ITEM_COLUMNS = [
  ...[
    'item',
    'itemid',
    'iid',
    'movie',
    'movieid',
    'film',
    'filmid',
    'product',
    'productid',
    'artist',
    'artistid',
  ],
  ...[
    'book',
    'bookid',
    'isbn',
    'parentasin',
    'asin',
    'song',
    'songid',
    'track',
    'trackid',
    'business',
    'businessid',
  ],
  ...['game', 'gameid', 'article', 'articleid', 'sku'],
];
const RATING_COLUMNS = ['rating', 'ratings', 'score', 'stars', 'overall', 'bookrating'];
const TIME_COLUMNS = ['timestamp', 'time', 'ts', 'datetime', 'date', 'unixreviewtime', 'at', 'createdat'];
const TITLE_COLUMNS = ['title', 'name', 'movietitle', 'itemtitle', 'booktitle'];
const GENRE_COLUMNS = ['genres', 'genre', 'categories', 'category', 'class'];

/**
 * Ratings from a table with a header. The columns are found by their names: user and item are needed, rating and
 * timestamp may be missing. A rating may also be left empty in single lines: it is NaN then. A timestamp is a number, or a date such as `2024-05-01T12:30:00Z`. Commas, semicolons or tabs
 * stand between fields; quotes as in RFC 4180.
 * @throws {DatasetFormatError} naming line and column: no such column, or two of a name, an empty id, a time that is none, a rating that is neither a number nor empty.
 */
export function parseCsvRatings(source: NamedBytes): Ratings {
  const [users, items] = [growingInts(), growingInts()];
  const [ratings, timestamps] = [growingFloats(), growingFloats()];
  let place: Place = { file: source.file, line: 1, field: 'header' };
  const refuse = (problem: string): DatasetFormatError => new DatasetFormatError(place, problem);
  const userNumbers = numbering<string>(MAX_USERS, refuse);
  const itemNumbers = numbering<string>(MAX_ITEMS, refuse);
  const has = { rating: false, time: false };
  eachRecord(
    source,
    (header) => {
      const columns = {
        user: neededColumn(source, header, 'user', USER_COLUMNS),
        item: neededColumn(source, header, 'item', ITEM_COLUMNS),
        rating: columnOf(source, header, RATING_COLUMNS),
        time: columnOf(source, header, TIME_COLUMNS),
      };
      Object.assign(has, { rating: columns.rating >= 0, time: columns.time >= 0 });
      return columns;
    },
    (fields, columns, line) => {
      const field = (column: number): string => {
        place = { file: source.file, line, field: fields.header[column] as string };
        return fields.values[column] as string;
      };
      if (users.length === MAX_INTERACTIONS)
        throw refuse(`is one more than the ${MAX_INTERACTIONS} ratings allowed`);
      users.push(userNumbers.indexOf(idOf(field(columns.user), refuse)));
      items.push(itemNumbers.indexOf(idOf(field(columns.item), refuse)));
      if (has.rating) ratings.push(ratingOf(field(columns.rating), refuse));
      if (has.time) timestamps.push(timeOf(field(columns.time), refuse));
    },
  );
  if (users.length === 0) {
    throw new DatasetFormatError({ file: source.file, line: 0, field: 'file' }, 'holds no rating');
  }
  const given = ratings.finish();
  return {
    users: users.finish(),
    items: items.finish(),
    ...(given.some((rating) => !Number.isNaN(rating)) && { ratings: given }),
    ...(has.time && { timestamps: timestamps.finish() }),
    userIds: userNumbers.ids(),
    itemIds: itemNumbers.ids(),
  };
}

/**
 * Titles and genres from a table with a header, such as `movies.csv` of MovieLens: item and title are needed, genres may be
 * missing and stand between `|`. Of lines that repeat an item, the first counts.
 * @throws {DatasetFormatError} naming line and column.
 */
export function parseCsvItems(source: NamedBytes): ItemTexts {
  const texts = new Map<string, ItemText>();
  eachRecord(
    source,
    (header) => ({
      item: neededColumn(source, header, 'item', ITEM_COLUMNS),
      title: neededColumn(source, header, 'title', TITLE_COLUMNS),
      genres: columnOf(source, header, GENRE_COLUMNS),
    }),
    ({ values, header }, { item, title, genres }, line) => {
      const refuse =
        (column: number) =>
        (problem: string): DatasetFormatError =>
          new DatasetFormatError({ file: source.file, line, field: header[column] as string }, problem);
      const id = idOf(values[item] as string, refuse(item));
      const name = idOf(values[title] as string, refuse(title));
      if (!texts.has(id)) texts.set(id, { title: name, genres: genresOf(values[genres] ?? '') });
      if (texts.size > MAX_ITEMS) throw refuse(item)(`is one more than the ${MAX_ITEMS} items allowed`);
    },
  );
  return texts;
}

interface Fields {
  readonly header: readonly string[];
  readonly values: readonly string[];
}

/** Reads the header with `onHeader`, then hands each record, what that gave, and the record's line to `onRecord`. */
function eachRecord<Columns>(
  source: NamedBytes,
  onHeader: (header: readonly string[]) => Columns,
  onRecord: (fields: Fields, columns: Columns, line: number) => void,
): void {
  let known: { readonly header: readonly string[]; readonly columns: Columns } | undefined;
  try {
    parse(source.bytes, {
      bom: true,
      delimiter: delimiterOf(source.bytes),
      record_delimiter: ['\r\n', '\n'], // both, even mixed in one file
      relax_quotes: true,
      skip_empty_lines: true,
      max_record_size: MAX_LINE_BYTES,
      on_record: (values: string[], { lines }) => {
        if (known === undefined) known = { header: values, columns: onHeader(values) };
        else onRecord({ header: known.header, values }, known.columns, lines);
        return null; // keeps nothing: a large file would not fit twice
      },
    });
  } catch (cause) {
    throw cause instanceof CsvError ? csvProblem(source, cause) : cause;
  }
  if (known === undefined)
    throw new DatasetFormatError({ file: source.file, line: 0, field: 'file' }, 'is empty');
}

/** What the library's codes say to a person. */
const CSV_PROBLEMS: Readonly<Record<string, string>> = {
  CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: 'it has another number of fields',
  CSV_RECORD_INCONSISTENT_COLUMNS: 'it has another number of fields',
  CSV_QUOTE_NOT_CLOSED: 'it opens a quote that nothing closes',
  CSV_INVALID_CLOSING_QUOTE: 'it goes on behind a closing quote',
  INVALID_OPENING_QUOTE: 'it has a quote in the middle of a field',
  CSV_MAX_RECORD_SIZE: `it is longer than ${MAX_LINE_BYTES} bytes`,
};

function csvProblem({ file }: NamedBytes, cause: CsvError): DatasetFormatError {
  const line = typeof cause['lines'] === 'number' ? cause['lines'] : 0;
  // The library's message may quote the record; what a person did is not for error messages.
  const problem = `is not a line of a table like the others: ${CSV_PROBLEMS[cause.code] ?? cause.code}`;
  return new DatasetFormatError({ file, line, field: 'line' }, problem);
}

/** Whichever of tab, semicolon and comma the first line holds most of. */
function delimiterOf(bytes: Uint8Array): string {
  const stop = bytes.indexOf(10);
  const header = String.fromCharCode(...bytes.subarray(0, Math.min(stop < 0 ? bytes.length : stop, 4_096)));
  const count = (delimiter: string): number => header.split(delimiter).length;
  return [',', '\t', ';'].reduce((best, other) => (count(other) > count(best) ? other : best));
}

/** `user_id`, `User ID` and RecBole's `user_id:token` are one name. */
function plainName(column: string): string {
  return column
    .replace(/:.*$/, '')
    .toLowerCase()
    .replace(/[\s_-]/g, '');
}

/** The column with the name that stands first among `names`, or −1. @throws {DatasetFormatError} where two columns have it. */
function columnOf(source: NamedBytes, header: readonly string[], names: readonly string[]): number {
  const plain = header.map(plainName);
  const name = names.find((candidate) => plain.includes(candidate));
  if (name === undefined) return -1;
  const column = plain.indexOf(name);
  const other = plain.indexOf(name, column + 1);
  if (other < 0) return column;
  const problem = `names ${excerpt(header[column] as string)} in column ${column + 1} and again in column ${other + 1}; one of them needs another name`;
  throw new DatasetFormatError({ file: source.file, line: 1, field: 'header' }, problem);
}

function neededColumn(
  source: NamedBytes,
  header: readonly string[],
  what: string,
  names: readonly string[],
): number {
  const column = columnOf(source, header, names);
  if (column >= 0) return column;
  const found = header.slice(0, 12).map(excerpt).join(', ');
  const problem = `has no column for the ${what} among ${found}; one of ${names.join(', ')} is needed`;
  throw new DatasetFormatError({ file: source.file, line: 1, field: 'header' }, problem);
}

type Refuse = (problem: string) => DatasetFormatError;

function idOf(text: string, refuse: Refuse): string {
  if (text === '') throw refuse('is empty');
  if (text.length > MAX_TEXT) throw refuse(`has ${text.length} characters; at most ${MAX_TEXT} are allowed`);
  return text;
}

/** NaN where a cell is empty: the person did it, and did not say how they liked it. Ratings are kept as float32. */
function ratingOf(text: string, refuse: Refuse): number {
  if (text.trim() === '') return Number.NaN;
  const rating = numberOf(text, refuse);
  if (Number.isFinite(Math.fround(rating))) return rating;
  throw refuse(`is ${excerpt(text)}; float32 holds none beyond 3.4e38`);
}

function numberOf(text: string, refuse: Refuse): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw refuse(`is ${excerpt(text)}; a number is needed`);
}

/** Only dates that every engine reads alike: a day, or a day and a time of day with or without a zone. */
const DATE = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

function timeOf(text: string, refuse: Refuse): number {
  if (!DATE.test(text)) return numberOf(text, refuse);
  const zoned = /[Z+]|-\d{2}:?\d{2}$/.test(text.slice(10)) || text.length === 10;
  const time = Date.parse(`${text.replace(' ', 'T')}${zoned ? '' : 'Z'}`);
  if (Number.isFinite(time)) return time / 1_000;
  throw refuse(`is ${excerpt(text)}; a date is needed`);
}
