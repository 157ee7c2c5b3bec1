import { DatasetFormatError, excerpt, type Place } from './errors.ts';
import type { NamedBytes } from './line-reader.ts';
import { MAX_ITEMS, MAX_LINE_BYTES, MAX_TEXT } from './limits.ts';
import type { ItemText } from './types.ts';

/** Genres of MovieLens 100K, in the order of the flags in `u.item` (its `u.genre`). */
const U_ITEM_GENRES = [
  'unknown',
  'Action',
  'Adventure',
  'Animation',
  "Children's",
  'Comedy',
  'Crime',
  'Documentary',
  'Drama',
  'Fantasy',
  'Film-Noir',
  'Horror',
  'Musical',
  'Mystery',
  'Romance',
  'Sci-Fi',
  'Thriller',
  'War',
  'Western',
] as const;

/** Fields of `u.item` before its flags: id, title, two dates, address. */
const U_ITEM_FIELDS = 5;

/** Titles and genres by the source's item id. */
export type ItemTexts = ReadonlyMap<string, ItemText>;

/** Reads UTF-8; what is not UTF-8 is read as Latin-1, which the older MovieLens files are in. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('latin1').decode(bytes);
  }
}

/**
 * `u.item` of MovieLens 100K: id, title, release date, video date, address and 19 genre flags between `|`. Also the
 * table that RecBole made of it (tabs, and a header that begins with `item_id:token`).
 * @throws {DatasetFormatError} naming the line and field that has another form.
 */
export function parseUItem(source: NamedBytes): ItemTexts {
  const lines = linesOf(source);
  const recbole = lines[0]?.text.startsWith('item_id:token') === true;
  return recbole
    ? collect(source, lines.slice(1), '\t', recboleItem)
    : collect(source, lines, '|', groupLensItem);
}

/** `movies.dat` of MovieLens 1M: `id::title::genre|genre`. */
export function parseMoviesDat(source: NamedBytes): ItemTexts {
  return collect(source, linesOf(source), '::', ([id, title, genres], place) => {
    return {
      id: needed(id, place('item')),
      title: needed(title, place('title')),
      genres: genresOf(genres ?? ''),
    };
  });
}

/** An item table whose lines stand in the order of the item indexes. */
export interface ItemTable {
  readonly ids: readonly string[];
  readonly texts: ItemTexts;
}

/**
 * `X.items.tsv`: `itemId, source's id, title, genre|genre` between tabs, under a header; itemId counts from 0.
 * @throws {DatasetFormatError} naming the line and field that has another form.
 */
export function parseItemsTsv(source: NamedBytes): ItemTable {
  const ids: string[] = [];
  const texts = collect(source, linesOf(source).slice(1), '\t', ([index, id, title, genres], place) => {
    if (index !== String(ids.length)) {
      throw new DatasetFormatError(place('itemId'), `is ${excerpt(index ?? '')}; ${ids.length} is next`);
    }
    ids.push(needed(id, place('item')));
    return {
      id: needed(id, place('item')),
      title: needed(title, place('title')),
      genres: genresOf(genres ?? ''),
    };
  });
  return { ids, texts };
}

/**
 * The items of `X.idmap.json`: `{ "users": [source's id by index], "items": [...] }`.
 * @throws {DatasetFormatError} where it is no such JSON, or an id is no number or text or stands there twice.
 */
export function parseIdMap(source: NamedBytes): string[] {
  const place = { file: source.file, line: 0, field: 'items' };
  const { items } = jsonObject(source) as { items?: unknown };
  if (!Array.isArray(items)) throw new DatasetFormatError(place, 'is not a list');
  if (items.length > MAX_ITEMS) {
    throw new DatasetFormatError(place, `has ${items.length} entries; at most ${MAX_ITEMS} are allowed`);
  }
  const ids = items.map((id: unknown, index) => {
    const text = typeof id === 'number' && Number.isFinite(id) ? String(id) : id;
    if (typeof text === 'string' && text !== '' && text.length <= MAX_TEXT) return text;
    throw new DatasetFormatError(
      { ...place, field: `items[${index}]` },
      'is not an id: a number or a short text',
    );
  });
  if (new Set(ids).size < ids.length) throw new DatasetFormatError(place, 'holds an id twice');
  return ids;
}

function jsonObject({ file, bytes }: NamedBytes): object {
  const place = { file, line: 0, field: 'file' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(decodeText(bytes));
  } catch (cause) {
    throw new DatasetFormatError(place, 'is not JSON', { cause });
  }
  if (typeof parsed === 'object' && parsed !== null) return parsed;
  throw new DatasetFormatError(place, 'is not a JSON object');
}

type PlaceOf = (field: string) => Place;
type ReadItem = (fields: readonly string[], place: PlaceOf) => ItemText & { readonly id: string };

function groupLensItem(fields: readonly string[], place: PlaceOf): ReturnType<ReadItem> {
  const [id, title] = fields;
  const flags = fields.slice(U_ITEM_FIELDS);
  if (flags.length !== U_ITEM_GENRES.length || !flags.every((flag) => flag === '0' || flag === '1')) {
    throw new DatasetFormatError(
      place('genres'),
      `has ${flags.length} flags; ${U_ITEM_GENRES.length} of 0 or 1 are needed`,
    );
  }
  const genres = U_ITEM_GENRES.filter((genre, index) => flags[index] === '1' && genre !== 'unknown');
  return { id: needed(id, place('item')), title: needed(title, place('title')), genres };
}

function recboleItem([id, title, year, genres]: readonly string[], place: PlaceOf): ReturnType<ReadItem> {
  const name = needed(title, place('title'));
  return {
    id: needed(id, place('item')),
    title: /^\d{4}$/.test(year ?? '') ? `${name} (${year})` : name,
    genres: (genres ?? '').split(' ').filter((genre) => genre !== '' && genre !== 'unknown'),
  };
}

/** `Drama|Romance`, where MovieLens writes `(no genres listed)` for none. */
export function genresOf(text: string): string[] {
  return text.split('|').filter((genre) => genre !== '' && genre !== '(no genres listed)');
}

function needed(text: string | undefined, place: Place): string {
  if (text === undefined || text === '') throw new DatasetFormatError(place, 'is missing');
  if (text.length <= MAX_TEXT) return text;
  throw new DatasetFormatError(place, `has ${text.length} characters; at most ${MAX_TEXT} are allowed`);
}

interface TextLine {
  readonly text: string;
  readonly line: number;
}

function linesOf({ file, bytes }: NamedBytes): TextLine[] {
  return decodeText(bytes)
    .split('\n')
    .map((text, index) => ({ text: text.replace(/\r$/, ''), line: index + 1 }))
    .filter(({ text, line }) => {
      if (text.length <= MAX_LINE_BYTES) return text !== '';
      const problem = `has ${text.length} characters; at most ${MAX_LINE_BYTES} are allowed`;
      throw new DatasetFormatError({ file, line, field: 'line' }, problem);
    });
}

function collect(
  { file }: NamedBytes,
  lines: readonly TextLine[],
  separator: string,
  read: ReadItem,
): ItemTexts {
  const texts = new Map<string, ItemText>();
  if (lines.length > MAX_ITEMS) {
    const problem = `has ${lines.length} lines; at most ${MAX_ITEMS} are allowed`;
    throw new DatasetFormatError({ file, line: 0, field: 'file' }, problem);
  }
  for (const { text, line } of lines) {
    const place = (field: string): Place => ({ file, line, field });
    const { id, title, genres } = read(text.split(separator), place);
    if (texts.has(id)) throw new DatasetFormatError(place('item'), `${excerpt(id)} stands there twice`);
    texts.set(id, { title, genres });
  }
  return texts;
}

/** Titles and genres for `ids`; an item without a title shows its id. */
export function textsOf(
  ids: readonly string[],
  texts: ItemTexts,
): { titles?: string[]; genres?: (readonly string[])[] } {
  if (texts.size === 0) return {};
  return {
    titles: ids.map((id) => texts.get(id)?.title ?? id),
    genres: ids.map((id) => texts.get(id)?.genres ?? []),
  };
}
