import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DecodeError, EnvironmentError } from '@tutti/base';
import { linesOf } from './lines.ts';
import { parseNcf } from './ncf.ts';
import { catalogueOf, csvRows, datasetOfRatings, parseCsv, parseSeparated, type ItemFacts } from './ratings.ts';
import type { Catalogue, SplitDataset } from './types.ts';

/** Reading data sets from files. */

/** How ratings are turned into a data set. */
export interface LoadOptions {
  /** Seed of the candidates where the files bring none; default 1. */
  readonly seed?: number | string;
  /** People with fewer are left out; default and least 3. */
  readonly minimumInteractions?: number;
}

/** Most bytes of one file, unpacked. */
const LARGEST_FILE_BYTES = 2 ** 30;

/**
 * Loads a folder or a file: NCF leave-one-out files, MovieLens 100K, 1M and latest-small as published, or a CSV with a
 * header. Each file may be gzipped.
 *
 * @throws {EnvironmentError} when nothing there can be read, with what was looked for.
 * @throws {DecodeError} naming file, line and field where a file is not what it must be.
 */
export async function loadDataset(path: string, options: LoadOptions = {}): Promise<SplitDataset> {
  const folder = await isFolder(path);
  if (!folder) return loadRatingsFile(path, options);
  const names = await readdir(path);
  const ncf = names.map((name) => /^(.+)\.train\.rating(\.gz)?$/.exec(name)?.[1]).find((name) => name !== undefined);
  if (ncf !== undefined) return loadNcf(path, ncf);
  const name = basename(path);
  const make = { name, seed: options.seed ?? 1, ...(options.minimumInteractions === undefined ? {} : { minimumInteractions: options.minimumInteractions }) };
  const has = (file: string): boolean => names.includes(file) || names.includes(`${file}.gz`);
  if (has('u.data')) return datasetOfRatings(parseSeparated(await readText(join(path, 'u.data')), '\t', 'u.data'), { ...make, facts: await ml100kFacts(path) });
  if (has('ratings.dat')) return datasetOfRatings(parseSeparated(await readText(join(path, 'ratings.dat')), '::', 'ratings.dat'), { ...make, facts: await ml1mFacts(path) });
  if (has('ratings.csv')) return datasetOfRatings(parseCsv(await readText(join(path, 'ratings.csv')), 'ratings.csv'), { ...make, facts: await csvFacts(path) });
  const csv = names.filter((file) => /\.csv(\.gz)?$/.test(file));
  if (csv.length === 1) return loadRatingsFile(join(path, csv[0] as string), options);
  throw new EnvironmentError(`${path} holds none of *.train.rating, u.data, ratings.dat, ratings.csv or one CSV file (each also as .gz); it holds ${names.slice(0, 8).join(', ')}`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new EnvironmentError(`${path} cannot be read: there is no such file or folder`, { cause });
  }
}

async function loadRatingsFile(path: string, options: LoadOptions): Promise<SplitDataset> {
  const file = basename(path);
  const text = await readText(path);
  const ratings = /\.csv(\.gz)?$/.test(file)
    ? parseCsv(text, file)
    : parseSeparated(text, text.slice(0, 1_000).includes('::') ? '::' : '\t', file);
  return datasetOfRatings(ratings, {
    name: file,
    seed: options.seed ?? 1,
    ...(options.minimumInteractions === undefined ? {} : { minimumInteractions: options.minimumInteractions }),
  });
}

async function loadNcf(folder: string, name: string): Promise<SplitDataset> {
  const part = (suffix: string): Promise<string> => readText(join(folder, `${name}.${suffix}`));
  const optional = async (suffix: string): Promise<string | undefined> => (existing(join(folder, `${name}.${suffix}`)) === undefined ? undefined : part(suffix));
  const [train, testRating, testNegative, validRating, validNegative] = [
    await part('train.rating'),
    await part('test.rating'),
    await part('test.negative'),
    await optional('valid.rating'),
    await optional('valid.negative'),
  ];
  const catalogue = await ncfCatalogue(folder, name);
  return parseNcf({
    name,
    train,
    testRating,
    testNegative,
    catalogue,
    ...(validRating === undefined || validNegative === undefined ? {} : { validRating, validNegative }),
  });
}

/** Titles from `X.items.tsv` (itemId, movieId, title, genres), or raw ids from `X.idmap.json` with u.item beside it. */
async function ncfCatalogue(folder: string, name: string): Promise<(items: number) => Catalogue> {
  const table = existing(join(folder, `${name}.items.tsv`));
  const map = existing(join(folder, `${name}.idmap.json`));
  const facts = new Map<string, { title: string; genres: readonly string[] }>();
  if (table !== undefined) {
    for (const [line] of linesOf(await readText(table))) {
      const [index, , title, genres] = line.split('\t');
      if (index !== undefined && title !== undefined && /^\d+$/.test(index)) facts.set(index, { title, genres: (genres ?? '').split('|').filter((genre) => genre !== '') });
    }
    return (items) => catalogueOf(Array.from({ length: items }, (_, item) => String(item)), facts);
  }
  if (map === undefined) return (items) => ({ ids: Array.from({ length: items }, (_, item) => String(item)) });
  const raw = decodeIdMap(await readText(map), basename(map));
  const known = await ml100kFacts(folder);
  return (items) => catalogueOf(Array.from({ length: items }, (_, item) => raw[item] ?? String(item)), known);
}

function decodeIdMap(text: string, file: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError(file, 'is not JSON', { cause });
  }
  const items = typeof value === 'object' && value !== null && 'items' in value ? value.items : undefined;
  if (!Array.isArray(items)) throw new DecodeError(`${file}.items`, 'is not a list');
  return items.map(String);
}

const ML100K_GENRES = 'unknown Action Adventure Animation Children Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western'.split(' ');

async function ml100kFacts(folder: string): Promise<ItemFacts> {
  const facts = new Map<string, { title: string; genres: readonly string[] }>();
  const path = existing(join(folder, 'u.item'));
  if (path === undefined) return facts;
  for (const [line] of linesOf(await readText(path, 'latin1'))) {
    const fields = line.split('|');
    const flags = fields.slice(5);
    if (fields[0] !== undefined && fields[1] !== undefined) facts.set(fields[0], { title: fields[1], genres: ML100K_GENRES.filter((_, i) => flags[i] === '1') });
  }
  return facts;
}

async function ml1mFacts(folder: string): Promise<ItemFacts> {
  const facts = new Map<string, { title: string; genres: readonly string[] }>();
  const path = existing(join(folder, 'movies.dat'));
  if (path === undefined) return facts;
  for (const [line] of linesOf(await readText(path, 'latin1'))) {
    const [id, title, genres] = line.split('::');
    if (id !== undefined && title !== undefined) facts.set(id, { title, genres: (genres ?? '').split('|') });
  }
  return facts;
}

async function csvFacts(folder: string): Promise<ItemFacts> {
  const facts = new Map<string, { title: string; genres: readonly string[] }>();
  const path = existing(join(folder, 'movies.csv'));
  if (path === undefined) return facts;
  for (const [id, title, genres] of csvRows(await readText(path), 'movies.csv').slice(1)) {
    if (id !== undefined && title !== undefined) facts.set(id, { title, genres: (genres ?? '').split('|') });
  }
  return facts;
}

/** The file, or the same with `.gz`, whichever is there. */
function existing(path: string): string | undefined {
  if (existsSync(path)) return path;
  return existsSync(`${path}.gz`) ? `${path}.gz` : undefined;
}

async function readText(path: string, encoding: 'utf8' | 'latin1' = 'utf8'): Promise<string> {
  const found = existing(path);
  if (found === undefined) throw new EnvironmentError(`${path} is missing (also as .gz)`);
  const { size } = await stat(found);
  if (size > LARGEST_FILE_BYTES) throw new EnvironmentError(`${found} has ${size} bytes; at most ${LARGEST_FILE_BYTES} are read`);
  const raw = await readFile(found);
  try {
    const bytes = raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw, { maxOutputLength: LARGEST_FILE_BYTES }) : raw;
    return bytes.toString(encoding);
  } catch (cause) {
    throw new DecodeError(`${basename(dirname(found))}/${basename(found)}`, 'cannot be unpacked', { cause });
  }
}
