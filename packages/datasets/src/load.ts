import { gunzip } from 'node:zlib';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { EnvironmentError } from '@tutti/base';
import { parseCsvItems, parseCsvRatings } from './csv.ts';
import { DatasetFormatError, DatasetNotFoundError } from './errors.ts';
import { parseIdMap, parseItemsTsv, parseMoviesDat, parseUItem, type ItemTexts } from './item-texts.ts';
import type { NamedBytes } from './line-reader.ts';
import { MAX_FILE_BYTES } from './limits.ts';
import { splitFromNcf } from './ncf.ts';
import { parseMovieLensRatings } from './ratings.ts';
import { leaveOneOut, type SplitOptions } from './split.ts';
import type { Ratings, SplitDataset } from './types.ts';
import { parseUsersTsv } from './user-attributes.ts';

/** For ratings that come without a split; a published split (NCF files) is taken as it is, whatever these say. */
export type LoadOptions = SplitOptions;

const LOOKED_FOR = [
  'a split in the layout of He et al. (NCF): X.train.rating, X.test.rating and X.test.negative',
  'MovieLens 100K: u.data',
  'MovieLens 1M: ratings.dat',
  'MovieLens latest: ratings.csv',
  'one table with a header (.csv or .tsv) with columns for user and item, perhaps rating and timestamp',
];

/** Names of files shown when nothing was found. */
const SHOWN_FILES = 12;

/**
 * Loads a data set from a folder, or from one file of ratings. Every file may be packed (`.gz`).
 *
 * Looked for in this order: NCF files, which hold their own split; then ratings without one: `u.data`, `ratings.dat`,
 * `ratings.csv`, the only `.csv` or `.tsv` with a header. Titles come from `X.items.tsv`, `X.idmap.json`, `u.item`,
 * `movies.dat`, `movies.csv` or `items.csv` beside them, attributes of people from `X.users.tsv`.
 *
 * @throws {DatasetNotFoundError} listing what was looked for, and what is there.
 * @throws {DatasetFormatError} naming file, line, field and limit of the first line that is refused.
 * @throws {EnvironmentError} where a file cannot be read.
 */
export async function loadDataset(path: string, options: LoadOptions = {}): Promise<SplitDataset> {
  const folder = await openFolder(path);
  const ncf = ncfNames(folder);
  if (ncf.length > 0) return loadNcf(folder, ncf);
  const ratings = ratingsIn(folder);
  if (ratings === undefined)
    throw new DatasetNotFoundError(path, LOOKED_FOR, folder.names.slice(0, SHOWN_FILES));
  const texts = await ratings.texts();
  return leaveOneOut(ratings.parse(await folder.read(ratings.file)), {
    ...options,
    name: folder.title,
    texts,
  });
}

/** A folder, or one file seen as the only rating file of its folder. */
interface Folder {
  readonly path: string;
  /** What the data set is called where its files do not say. */
  readonly title: string;
  /** The file that was asked for by name, without `.gz`. */
  readonly only: string | undefined;
  /** Every file beside, without `.gz`. */
  readonly names: readonly string[];
  has(name: string): boolean;
  read(name: string): Promise<NamedBytes>;
}

async function openFolder(asked: string): Promise<Folder> {
  const { path, isFile } = await placeOf(asked);
  const folder = isFile ? dirname(path) : path;
  const only = isFile ? unpacked(basename(path)) : undefined;
  const entries = await readdir(folder).catch((cause: unknown) => {
    throw new EnvironmentError(`cannot list ${folder}`, { cause });
  });
  const packed = new Map(entries.sort().map((name) => [unpacked(name), name] as const));
  for (const name of entries)
    packed.set(unpacked(name), entries.includes(unpacked(name)) ? unpacked(name) : name);
  return {
    path,
    title: only ?? basename(folder),
    only,
    names: Array.from(packed.keys()),
    has: (name) => packed.has(name),
    read: async (name) => ({
      file: packed.get(name) ?? name,
      bytes: await readBytes(join(folder, packed.get(name) ?? name)),
    }),
  };
}

/** The file or folder of this name, or else the packed file. */
async function placeOf(asked: string): Promise<{ path: string; isFile: boolean }> {
  for (const path of [asked, `${asked}.gz`]) {
    const there = await stat(path).catch(() => undefined);
    if (there !== undefined) return { path, isFile: there.isFile() };
  }
  throw new DatasetNotFoundError(asked, [], []);
}

function unpacked(name: string): string {
  return name.replace(/\.gz$/, '');
}

const unzip = promisify(gunzip);

async function readBytes(path: string): Promise<Uint8Array> {
  const place = { file: basename(path), line: 0, field: 'file' };
  const read = async (): Promise<Uint8Array> => {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new DatasetFormatError(place, `has ${size} bytes; at most ${MAX_FILE_BYTES} are allowed`);
    }
    return readFile(path);
  };
  const bytes = await read().catch((cause: unknown) => {
    throw cause instanceof DatasetFormatError
      ? cause
      : new EnvironmentError(`cannot read ${path}`, { cause });
  });
  if (!path.endsWith('.gz')) return bytes;
  return unzip(bytes, { maxOutputLength: MAX_FILE_BYTES }).catch((cause: unknown) => {
    const problem = `cannot be unpacked: it is no gzip file, is cut short, or holds more than ${MAX_FILE_BYTES} bytes`;
    throw new DatasetFormatError(place, problem, { cause });
  });
}

const TRAIN = '.train.rating';

/** The X of every `X.train.rating` that is meant. */
function ncfNames({ names, only }: Folder): string[] {
  const asked = only === undefined ? names : [only];
  return asked.filter((name) => name.endsWith(TRAIN)).map((name) => name.slice(0, -TRAIN.length));
}

async function loadNcf(folder: Folder, sets: readonly string[]): Promise<SplitDataset> {
  const [name] = sets as [string];
  const missing = ['test.rating', 'test.negative']
    .map((part) => `${name}.${part}`)
    .filter((file) => !folder.has(file));
  if (sets.length > 1 || missing.length > 0) {
    const lacks =
      sets.length > 1
        ? `one set, not ${sets.length}: ${sets.join(', ')}`
        : `${missing.join(', ')} beside ${name}${TRAIN}`;
    throw new DatasetNotFoundError(folder.path, [lacks], folder.names.slice(0, SHOWN_FILES));
  }
  const read = (part: string): Promise<NamedBytes> => folder.read(`${name}.${part}`);
  const optional = async (part: string): Promise<NamedBytes | undefined> =>
    folder.has(`${name}.${part}`) ? read(part) : undefined;
  const split = splitFromNcf({
    name,
    train: await read('train.rating'),
    test: await read('test.rating'),
    testNegatives: await read('test.negative'),
    validation: await optional('valid.rating'),
    validationNegatives: await optional('valid.negative'),
    ...(await ncfItems(folder, name)),
  });
  const people = await optional('users.tsv');
  return people === undefined ? split : { ...split, attributes: parseUsersTsv(people, split.users) };
}

async function ncfItems(
  folder: Folder,
  name: string,
): Promise<{ itemIds?: readonly string[]; texts?: ItemTexts }> {
  if (folder.has(`${name}.items.tsv`)) {
    const { ids, texts } = parseItemsTsv(await folder.read(`${name}.items.tsv`));
    return { itemIds: ids, texts };
  }
  if (!folder.has(`${name}.idmap.json`)) return {};
  const itemIds = parseIdMap(await folder.read(`${name}.idmap.json`));
  return { itemIds, ...(folder.has('u.item') && { texts: parseUItem(await folder.read('u.item')) }) };
}

interface RatingsFile {
  readonly file: string;
  parse(source: NamedBytes): Ratings;
  texts(): Promise<ItemTexts>;
}

function ratingsIn(folder: Folder): RatingsFile | undefined {
  const meant = (name: string): boolean =>
    folder.only === name || (folder.only === undefined && folder.has(name));
  const textsFrom = async (name: string, parse: (source: NamedBytes) => ItemTexts): Promise<ItemTexts> =>
    folder.has(name) ? parse(await folder.read(name)) : new Map();
  if (meant('u.data')) {
    const texts = (): Promise<ItemTexts> => textsFrom('u.item', parseUItem);
    return { file: 'u.data', parse: (source) => parseMovieLensRatings(source, '\t'), texts };
  }
  if (meant('ratings.dat')) {
    const texts = (): Promise<ItemTexts> => textsFrom('movies.dat', parseMoviesDat);
    return { file: 'ratings.dat', parse: (source) => parseMovieLensRatings(source, '::'), texts };
  }
  const file = folder.only ?? tableIn(folder);
  if (file === undefined) return undefined;
  const items = ITEM_TABLES.find((name) => folder.has(name) && name !== file);
  return {
    file,
    parse: parseCsvRatings,
    texts: async () => (items === undefined ? new Map() : textsFrom(items, parseCsvItems)),
  };
}

const ITEM_TABLES = ['movies.csv', 'items.csv'];

/** `ratings.csv` or `interactions.csv`, or else the only table that is no item table. */
function tableIn(folder: Folder): string | undefined {
  const known = ['ratings.csv', 'interactions.csv'].find((name) => folder.has(name));
  if (known !== undefined) return known;
  const tables = folder.names.filter((name) => /\.(csv|tsv)$/i.test(name) && !ITEM_TABLES.includes(name));
  return tables.length === 1 ? tables[0] : undefined;
}
