import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { CommandError } from './exit-codes.ts';

/** Items as a coordinator takes them. */
export interface CatalogueContent {
  readonly ids: string[];
  readonly titles?: string[];
  readonly genres?: string[][];
  readonly vectors?: number[][];
}

/** Names of the column that holds the app's own ids. */
const ID_COLUMNS = ['id', 'item', 'itemid', 'item_id', 'movieid'];

/** Reads a catalogue: JSON { ids, titles?, genres?, vectors? }, or CSV with a header (id, title, genres separated by |, vector separated by spaces). */
export async function catalogueFile(path: string): Promise<CatalogueContent> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new CommandError(`${path} cannot be read`, undefined, { cause });
  }
  try {
    return path.endsWith('.json') ? (JSON.parse(text) as CatalogueContent) : catalogueOfCsv(text);
  } catch (cause) {
    throw new CommandError(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, undefined, {
      cause,
    });
  }
}

function catalogueOfCsv(text: string): CatalogueContent {
  const [header = [], ...rows] = parse(text, { bom: true, skip_empty_lines: true });
  const names = header.map((name) => name.trim().toLowerCase());
  const id = names.findIndex((name) => ID_COLUMNS.includes(name));
  if (id < 0)
    throw new Error(`the header has ${names.join(', ')}; one of ${ID_COLUMNS.join(', ')} is needed`);
  const title = names.indexOf('title');
  const genres = names.indexOf('genres');
  const vector = names.indexOf('vector');
  return {
    ids: rows.map((row) => row[id] ?? ''),
    ...(title < 0 ? {} : { titles: rows.map((row) => row[title] ?? '') }),
    ...(genres < 0
      ? {}
      : { genres: rows.map((row) => (row[genres] ?? '').split('|').filter((genre) => genre !== '')) }),
    ...(vector < 0 ? {} : { vectors: rows.map((row) => numbersOf(row[vector] ?? '', row[id] ?? '')) }),
  };
}

/** @throws naming the item whose vector holds what is no number. */
function numbersOf(text: string, item: string): number[] {
  return text
    .split(/\s+/)
    .filter((part) => part !== '')
    .map((part) => {
      const value = Number(part);
      if (!Number.isFinite(value))
        throw new Error(`the vector of item ${item} has ${part}; a finite number is needed`);
      return value;
    });
}
