import { growingFloats, growingInts } from './growing.ts';
import { DatasetFormatError, excerpt, type Place } from './errors.ts';
import { textsOf } from './item-texts.ts';
import { LineReader, type NamedBytes } from './line-reader.ts';
import { MAX_INTERACTIONS, MAX_ITEMS, MAX_USERS } from './limits.ts';
import { rowHolds, rowsOf, type Pairs } from './rows.ts';
import type { Catalogue, HeldOut, Interactions, ItemText, SplitDataset } from './types.ts';

/** The files of one set in the layout of He et al., unpacked. */
export interface NcfFiles {
  readonly name: string;
  /** `user \t item [\t rating [\t timestamp]]`, one positive a line; users and items are numbered from 0. */
  readonly train: NamedBytes;
  /** The held-out positives in the same form, one line a user. */
  readonly test: NamedBytes;
  /** `(user,item) \t n1 \t n2 …`, the candidates for the positive `item` of `user`. */
  readonly testNegatives: NamedBytes;
  readonly validation?: NamedBytes | undefined;
  readonly validationNegatives?: NamedBytes | undefined;
  /** The source's ids in the order of the item indexes. */
  readonly itemIds?: readonly string[] | undefined;
  /** Titles and genres by the source's id. */
  readonly texts?: ReadonlyMap<string, ItemText> | undefined;
}

/**
 * Takes a split as it was published. Nothing is drawn and nobody is left out; of repeated lines the first counts.
 * `validationInsideTrain` is found by looking. Candidates stay as they are in the file, where 156 rows of MovieLens 1M
 * repeat the positive: ranking drops it.
 *
 * @throws {DatasetFormatError} naming file, line and field: a line of another form, a user with two held-out items,
 *   candidates for another item than the held-out one, a test item that is in training too.
 * @see https://github.com/hexiangnan/neural_collaborative_filtering
 */
export function splitFromNcf(files: NcfFiles): SplitDataset {
  const train = parsePairs(files.train);
  const test = parseHeldOut(files.test, files.testNegatives);
  const validation = validationOf(files);
  const parts = [train, test, ...(validation === undefined ? [] : [validation])];
  const users = Math.max(...parts.map((part) => part.userEnd));
  const items = Math.max(files.itemIds?.length ?? 0, ...parts.map((part) => part.itemEnd));
  const rows = rowsOf(train, users, items);
  refuseLeak(rows, test, files.test.file);
  const inside = validation === undefined ? 0 : countInside(rows, validation);
  const outside = (validation?.heldOut.size ?? 0) - inside;
  return {
    name: files.name,
    users,
    items,
    interactions: rows.values.length + test.heldOut.size + outside,
    train: rows,
    validation: validation && heldOutOf(validation, users),
    test: heldOutOf(test, users),
    validationInsideTrain: inside > 0,
    catalogue: catalogueOf(files, items),
  };
}

interface ParsedPairs extends Pairs {
  /** Line of the file that each pair stands on. */
  readonly lines: Int32Array;
  readonly userEnd: number;
  readonly itemEnd: number;
}

/** Lines of `user \t item [\t rating [\t timestamp]]`. */
function parsePairs(source: NamedBytes): ParsedPairs {
  const reader = new LineReader(source);
  const [users, items, lines] = [growingInts(), growingInts(), growingInts()];
  const timestamps = growingFloats();
  let [userEnd, itemEnd] = [0, 0];
  while (reader.nextLine()) {
    if (users.length === MAX_INTERACTIONS) {
      throw reader.problem('line', `is one more than the ${MAX_INTERACTIONS} interactions allowed`);
    }
    const user = reader.wholeNumber('user', MAX_USERS - 1);
    const item = reader.wholeNumber('item', MAX_ITEMS - 1);
    users.push(user);
    items.push(item);
    lines.push(reader.line);
    userEnd = Math.max(userEnd, user + 1);
    itemEnd = Math.max(itemEnd, item + 1);
    if (reader.hasField()) reader.number('rating');
    if (reader.hasField()) timestamps.push(reader.number('timestamp'));
    if (reader.hasField()) throw reader.problem('line', 'goes on after the timestamp; 4 fields are allowed');
  }
  if (users.length === 0) throw new DatasetFormatError(wholeFile(source), 'holds no interaction');
  const timed = timestamps.length === users.length;
  return {
    users: users.finish(),
    items: items.finish(),
    lines: lines.finish(),
    ...(timed && { timestamps: timestamps.finish() }),
    userEnd,
    itemEnd,
  };
}

interface ParsedHeldOut {
  /** For each user the held-out item and its line. */
  readonly heldOut: ReadonlyMap<number, { readonly item: number; readonly line: number }>;
  readonly negatives: ReadonlyMap<number, Int32Array>;
  readonly userEnd: number;
  readonly itemEnd: number;
}

function validationOf({ validation, validationNegatives }: NcfFiles): ParsedHeldOut | undefined {
  if (validation === undefined) return undefined;
  if (validationNegatives !== undefined) return parseHeldOut(validation, validationNegatives);
  throw new DatasetFormatError(
    wholeFile(validation),
    'has no file of candidates (….valid.negative) beside it',
  );
}

function parseHeldOut(positives: NamedBytes, candidates: NamedBytes): ParsedHeldOut {
  const { users, items, lines, userEnd, itemEnd } = parsePairs(positives);
  const heldOut = new Map<number, { item: number; line: number }>();
  users.forEach((user, at) => {
    const line = lines[at] as number;
    if (heldOut.has(user)) {
      const place = { file: positives.file, line, field: 'user' };
      throw new DatasetFormatError(place, 'has a held-out item already; one line a user is allowed');
    }
    heldOut.set(user, { item: items[at] as number, line });
  });
  const parsed = parseCandidates(candidates, heldOut);
  if (parsed.negatives.size < heldOut.size) {
    const problem = `has candidates for ${parsed.negatives.size} users; ${positives.file} holds items of ${heldOut.size} out`;
    throw new DatasetFormatError(wholeFile(candidates), problem);
  }
  return { heldOut, negatives: parsed.negatives, userEnd, itemEnd: Math.max(itemEnd, parsed.itemEnd) };
}

/** Lines of `(user,item) \t n1 \t n2 …`. */
function parseCandidates(
  source: NamedBytes,
  heldOut: ParsedHeldOut['heldOut'],
): { negatives: Map<number, Int32Array>; itemEnd: number } {
  const reader = new LineReader(source);
  const negatives = new Map<number, Int32Array>();
  let itemEnd = 0;
  while (reader.nextLine()) {
    const user = userOfPair(reader, heldOut);
    if (negatives.has(user))
      throw reader.problem('user', 'has candidates already; one line a user is allowed');
    const row: number[] = [];
    while (reader.hasField()) row.push(reader.wholeNumber(`candidate ${row.length + 1}`, MAX_ITEMS - 1));
    if (row.length === 0) throw reader.problem('candidate 1', 'is missing: the line ends before it');
    negatives.set(user, Int32Array.from(row));
    itemEnd = row.reduce((end, item) => Math.max(end, item + 1), itemEnd);
  }
  return { negatives, itemEnd };
}

/** The user of `(user,item)`, where that is the item held out for the user. */
function userOfPair(reader: LineReader, heldOut: ParsedHeldOut['heldOut']): number {
  const field = '(user,item)';
  const text = reader.text(field);
  const match = /^\((\d{1,10}), ?(\d{1,10})\)$/.exec(text);
  if (match === null) throw reader.problem(field, `is ${excerpt(text)}; a pair such as "(0,25)" is needed`);
  const user = Number(match[1]);
  const expected = heldOut.get(user)?.item;
  if (expected === undefined) throw reader.problem(field, 'names a user without a held-out item');
  if (expected !== Number(match[2])) throw reader.problem(field, 'is not the item held out for this user');
  return user;
}

function heldOutOf({ heldOut, negatives }: ParsedHeldOut, users: number): HeldOut {
  const all = Array.from({ length: users }, (_, user) => user);
  return {
    positives: Int32Array.from(all, (user) => heldOut.get(user)?.item ?? -1),
    negatives: all.map((user) => negatives.get(user) ?? new Int32Array(0)),
  };
}

function countInside(rows: Interactions, { heldOut }: ParsedHeldOut): number {
  let inside = 0;
  for (const [user, { item }] of heldOut) if (rowHolds(rows, user, item)) inside++;
  return inside;
}

/** A test item that is trained on measures memory, not taste. */
function refuseLeak(rows: Interactions, { heldOut }: ParsedHeldOut, file: string): void {
  for (const [user, { item, line }] of heldOut) {
    if (rowHolds(rows, user, item)) {
      throw new DatasetFormatError({ file, line, field: 'item' }, 'is in the training part of this user too');
    }
  }
}

function catalogueOf({ itemIds, texts }: NcfFiles, items: number): Catalogue {
  const ids = Array.from({ length: items }, (_, item) => itemIds?.[item] ?? String(item));
  return { ids, ...(texts && textsOf(ids, texts)) };
}

function wholeFile({ file }: NamedBytes): Place {
  return { file, line: 0, field: 'file' };
}
