import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { HeldOutItems } from '../src/evaluate.ts';
import type { TrainingRows } from '../src/references/recommender.ts';

/** A published split. Rooms of the ground floor do not import each other, so this is not the loader of `@tutti/datasets`. */
export interface Published {
  readonly train: TrainingRows;
  readonly test: HeldOutItems;
}

const folder = process.env['TUTTI_DATA'];

/** Whether the environment variable TUTTI_DATA names a folder that holds `name`. */
export function isThere(name: string): boolean {
  return folder !== undefined && existsSync(join(folder, name, `${name}.train.rating.gz`));
}

/** Reads the packed NCF files of `name`. */
export function readPublished(name: string): Published {
  const records = (part: string): string[][] =>
    gunzipSync(readFileSync(join(folder!, name, `${name}.${part}.gz`)))
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
  const negatives = records('test.negative').map((fields) => Int32Array.from(fields.slice(1), Number));
  const positives = Int32Array.from(records('test.rating'), (fields) => Number(fields[1]));
  const pairs = records('train.rating').map((fields) => [Number(fields[0]), Number(fields[1])] as const);
  const rows = Array.from(positives, () => [] as number[]);
  for (const [user, item] of pairs) rows[user]!.push(item);
  let items = 0;
  for (const row of [positives, ...negatives, ...rows])
    for (const item of row) items = Math.max(items, item + 1);
  return { train: trainOf(rows, items), test: { positives, negatives } };
}

/** Rows as flat arrays. */
export function trainOf(rows: readonly (readonly number[])[], items: number): TrainingRows {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, user) => (offsets[user + 1] = offsets[user]! + row.length));
  return { users: rows.length, items, offsets, values: Int32Array.from(rows.flat()) };
}
