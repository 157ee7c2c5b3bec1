import { DecodeError } from '@tutti/base';
import { indexField, LineError, linesOf } from './lines.ts';
import { rowsOf } from './split.ts';
import type { Catalogue, HeldOut, SplitDataset } from './types.ts';

/** The texts of a leave-one-out set in the layout of He et al. (2017). */
export interface NcfTexts {
  readonly name: string;
  readonly train: string;
  readonly testRating: string;
  readonly testNegative: string;
  readonly validRating?: string;
  readonly validNegative?: string;
  readonly catalogue?: (items: number) => Catalogue;
}

/** Reads an NCF set: `user \t item \t 1` a line, one test row a person, and its negatives in the same order. */
export function parseNcf(texts: NcfTexts): SplitDataset {
  const file = (part: string): string => `${texts.name}.${part}`;
  const rows: number[][] = [];
  let items = 0;
  for (const [line, number] of linesOf(texts.train)) {
    const [user, item] = pairOf(line, file('train.rating'), number);
    while (rows.length <= user) rows.push([]);
    (rows[user] as number[]).push(item);
    if (item >= items) items = item + 1;
  }
  const test = parseHeldOut(texts.testRating, texts.testNegative, file('test'));
  const validation = texts.validRating === undefined ? undefined : parseHeldOut(texts.validRating, texts.validNegative, file('valid'));
  for (const part of [test, validation]) {
    if (part === undefined) continue;
    for (let user = 0; user < part.positives.length; user++) {
      items = Math.max(items, (part.positives[user] as number) + 1);
      for (const negative of part.negatives[user] as Int32Array) items = Math.max(items, negative + 1);
    }
    while (rows.length < part.positives.length) rows.push([]);
  }
  const users = rows.length;
  const inside = validation !== undefined && isInside(rows, validation);
  const count = (part: HeldOut | undefined): number => part?.positives.reduce((sum, item) => sum + (item >= 0 ? 1 : 0), 0) ?? 0;
  const train = rowsOf(rows, items);
  return {
    name: texts.name,
    users,
    items,
    interactions: train.values.length + count(test) + (inside ? 0 : count(validation)),
    train,
    validation: validation === undefined ? undefined : padded(validation, users),
    test: padded(test, users),
    validationInsideTrain: inside,
    catalogue: texts.catalogue?.(items) ?? { ids: Array.from({ length: items }, (_, item) => String(item)) },
  };
}

function pairOf(line: string, file: string, number: number): [user: number, item: number] {
  const tab = line.indexOf('\t');
  if (tab < 0) throw new LineError(file, number, 'line', 'has no tab; user, item and more are separated by tabs');
  const next = line.indexOf('\t', tab + 1);
  const item = line.slice(tab + 1, next < 0 ? undefined : next);
  return [indexField(line.slice(0, tab), file, number, 'user'), indexField(item, file, number, 'item')];
}

function parseHeldOut(rating: string, negative: string | undefined, file: string): HeldOut {
  const positives: number[] = [];
  for (const [line, number] of linesOf(rating)) {
    const [user, item] = pairOf(line, `${file}.rating`, number);
    while (positives.length <= user) positives.push(-1);
    positives[user] = item;
  }
  const negatives: Int32Array[] = positives.map(() => new Int32Array(0));
  for (const [line, number] of linesOf(negative ?? '')) {
    const [head, ...rest] = line.split('\t');
    const key = /^\((\d+),\s*(\d+)\)$/.exec(head ?? '');
    if (key === null) throw new LineError(`${file}.negative`, number, 'key', 'is not of the form (user,item)');
    const user = indexField(key[1], `${file}.negative`, number, 'user');
    const item = indexField(key[2], `${file}.negative`, number, 'item');
    if (positives[user] !== item) throw new LineError(`${file}.negative`, number, 'key', `names item ${item}; the rating file holds out ${positives[user] ?? 'nothing'}`);
    negatives[user] = Int32Array.from(rest, (text) => indexField(text, `${file}.negative`, number, 'negative'));
  }
  if (positives.length === 0) throw new DecodeError(`${file}.rating`, 'holds no line');
  return { positives: Int32Array.from(positives), negatives };
}

function padded({ positives, negatives }: HeldOut, users: number): HeldOut {
  const all = new Int32Array(users).fill(-1);
  all.set(positives);
  return { positives: all, negatives: Array.from({ length: users }, (_, user) => negatives[user] ?? new Int32Array(0)) };
}

/** He et al. drew the validation item from the training part and left it there; elsewhere the parts are disjoint. */
function isInside(rows: readonly (readonly number[])[], validation: HeldOut): boolean {
  let inside = 0;
  let all = 0;
  validation.positives.forEach((item, user) => {
    if (item < 0) return;
    all++;
    if (rows[user]?.includes(item) === true) inside++;
  });
  return inside > all / 2;
}
