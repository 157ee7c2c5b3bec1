import { fromHex, toHex, UsageError, utf8 } from '@tutti/base';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import type { RoundDescription } from './description.ts';

/**
 * Public slices (secure-aggregation.md §5): the rows of a large catalogue that travel in a round. The same for every client,
 * and a function of public numbers: of the round, and of the head, which is in the slice that clients download.
 */

/** How a catalogue is cut: N items, R rows in a slice, H < R of them its head, which stays for a whole cycle. */
export interface SliceShape {
  readonly items: number;
  readonly rows: number;
  readonly head: number;
}

/** Where a round stands in the rotation of the tail. */
export interface SliceTurn {
  /** From 0. The first cycle has no head: nothing is known about popularity yet, so the slice is all tail. */
  readonly cycle: number;
  /** From 0 to `pages` − 1. */
  readonly page: number;
  /** Rounds of this cycle. */
  readonly pages: number;
  /** Rows of the head in this cycle: 0, or H. */
  readonly head: number;
}

/**
 * The turn of `round`, counted from 1. Every row is in a slice at least once a cycle, that is once in ⌈N / R⌉ rounds of the
 * first cycle and once in ⌈(N − H) / (R − H)⌉ of each that follows.
 * @throws {UsageError} for a shape in which 0 ≤ H < R ≤ N does not hold.
 */
export function sliceTurn(shape: SliceShape, round: number): SliceTurn {
  const { items, rows, head } = shape;
  if (!(0 <= head && head < rows && rows <= items))
    throw new UsageError(`a slice of ${rows} rows, ${head} of them head, of ${items} items`);
  const first = Math.ceil(items / rows);
  const at = round - 1;
  if (at < first) return { cycle: 0, page: at, pages: first, head: 0 };
  const pages = Math.ceil((items - head) / (rows - head));
  const later = at - first;
  return { cycle: 1 + Math.floor(later / pages), page: later % pages, pages, head };
}

/**
 * κ / C: what of the clipping norm the popularity lanes of one client may take. The model delta is clipped to C·√(1 − 1/64) and the
 * lanes to C/8, so that both together keep to C: one release, whose noise covers them all.
 */
export const POPULARITY_SHARE = 1 / 8;

/** What of a description decides its slice, beside the head. */
export type SliceFacts = Pick<RoundDescription, 'task' | 'round' | 'layoutHash' | 'catalogueHash'>;

/**
 * The rows of a round's slice, ascending: the head, and a page of the other rows in an order that a PRF of the cycle gives.
 *
 * The order: the rows outside the head, ascending, shuffled by Fisher and Yates from the last place down; the word at place i
 * of the ChaCha20 stream of H("slice", task, layout hash, catalogue hash, cycle as u32) moves it to ⌊word·(i + 1)/2³²⌋. A page
 * is R − H places of it; the last one goes on at the beginning. Nobody chooses it, the coordinator included.
 *
 * @param head ascending, distinct rows of the catalogue: as many as {@link sliceTurn} says.
 * @throws {UsageError} if the head has another length.
 */
export function sliceRows(
  shape: SliceShape,
  facts: SliceFacts,
  head: Uint32Array,
  crypto: CryptoSuite,
): Uint32Array {
  const turn = sliceTurn(shape, facts.round);
  if (head.length !== turn.head)
    throw new UsageError(`a head of ${head.length} rows; cycle ${turn.cycle} has ${turn.head}`);
  const order = tailOrder(shape.items, facts, turn.cycle, head, crypto);
  const wanted = shape.rows - head.length;
  const rows = new Uint32Array(shape.rows);
  rows.set(head);
  for (let i = 0; i < wanted; i++)
    rows[head.length + i] = order[(turn.page * wanted + i) % order.length] as number;
  return rows.sort();
}

function tailOrder(
  items: number,
  facts: SliceFacts,
  cycle: number,
  head: Uint32Array,
  crypto: CryptoSuite,
): Uint32Array {
  const order = rowsOutside(items, head);
  const words = new Uint32Array(order.length);
  crypto.addKeystream(words, tailSeed(facts, cycle, crypto), 1);
  for (let i = order.length - 1; i > 0; i--) {
    // Exact in float64: below 2³² · 2²¹.
    const j = Math.floor(((words[i] as number) * (i + 1)) / 2 ** 32);
    const moved = order[i] as number;
    order[i] = order[j] as number;
    order[j] = moved;
  }
  return order;
}

function tailSeed(facts: SliceFacts, cycle: number, crypto: CryptoSuite): Uint8Array {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, cycle, true);
  return crypto.digest(
    'slice',
    utf8(facts.task),
    fromHex(facts.layoutHash),
    fromHex(facts.catalogueHash),
    number,
  );
}

function rowsOutside(items: number, head: Uint32Array): Uint32Array {
  const rest = new Uint32Array(items - head.length);
  let at = 0;
  let next = 0;
  for (let row = 0; row < items; row++) {
    if (row === head[next]) next++;
    else rest[at++] = row;
  }
  return rest;
}

/** H("slice-rows", P), P all rows as little-endian u32 in one part, in hexadecimal: how a description names the rows of its slice. */
export function sliceRowsHash(rows: Uint32Array, crypto: CryptoSuite): string {
  const bytes = new Uint8Array(4 * rows.length);
  const view = new DataView(bytes.buffer);
  rows.forEach((row, at) => view.setUint32(4 * at, row, true));
  return toHex(crypto.digest('slice-rows', bytes));
}
