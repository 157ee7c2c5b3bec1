import { DecodeError, given, keepLocal, type LocalOnly, type SeededRandom, UsageError } from '@tutti/base';
import {
  decodeSlice,
  modelOfRows,
  type LoadedModel,
  type LocalData,
  type Model,
  type WholeTable,
} from '@tutti/model';
import {
  POPULARITY_SHARE,
  sliceRows,
  sliceRowsHash,
  sliceTurn,
  type RoundDescription,
} from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';

/** The device's side of public slices: what it checks, and how it trains and ranks with a part of the catalogue's rows. */

/** A slice that was checked: the model of its rows, ready to load. */
export interface RoundSlice {
  /** Rows of the catalogue, ascending: item k of `model` is row `rows[k]`. */
  readonly rows: Uint32Array;
  readonly model: Model;
  readonly shared: Float32Array;
  readonly whole: WholeTable;
}

/** What of a catalogue is loaded. */
export interface OpenTable {
  readonly loaded: LoadedModel;
  /** Rows of the catalogue that its items are, ascending; all of them when left out. */
  readonly rows?: Uint32Array;
}

/**
 * The slice of a round from outside. Its rows are not read but derived: a head that everybody gets, and a tail that nobody
 * chose. A coordinator that shows one client another list shows it another description, and masks that do not cancel.
 *
 * @throws {DecodeError} naming what does not fit the description: the size, the vector's lanes, the head, the rows.
 */
export function readSlice(
  bytes: Uint8Array,
  description: RoundDescription,
  model: Model,
  crypto: CryptoSuite,
): RoundSlice {
  const { slice, lanes, purpose, round } = description;
  if (slice === undefined || purpose !== 'train')
    throw new UsageError(`a slice where the description of a round to ${purpose} has none`);
  if (bytes.length !== slice.bytes)
    throw new DecodeError('slice', `has ${bytes.length} bytes; ${slice.bytes} are announced`);
  if (slice.rows > model.items)
    throw new DecodeError('slice.rows', `is ${slice.rows}; the catalogue has ${model.items} items`);
  const part = modelOfRows(model, slice.rows);
  if (lanes.delta !== part.layout.length + slice.rows)
    throw new DecodeError(
      'lanes.delta',
      `is ${lanes.delta}; ${slice.rows} rows take ${part.layout.length + slice.rows}`,
    );
  if (lanes.rowCounts !== 0 && lanes.rowCounts !== slice.rows)
    throw new DecodeError('lanes.rowCounts', `is ${lanes.rowCounts}; the slice has ${slice.rows} rows`);
  const shape = { items: model.items, rows: slice.rows, head: slice.head };
  const packed = decodeSlice(bytes, model, { rows: slice.rows, head: sliceTurn(shape, round).head });
  const rows = sliceRows(shape, description, packed.head, crypto);
  if (sliceRowsHash(rows, crypto) !== slice.rowsHash)
    throw new DecodeError('slice.rowsHash', 'is not that of the rows that follow from the round');
  return { rows, model: part, shared: packed.shared, whole: packed.whole };
}

/**
 * A person's examples as the items of a slice: those outside it take no part. The held-out item is ranked among as many others of
 * the slice as it was among others of the catalogue, which are drawn anew; where it is outside, nothing is measured.
 */
export function withinRows(
  examples: LocalData,
  rows: Uint32Array | undefined,
  random: SeededRandom,
): LocalData {
  if (rows === undefined) return examples;
  const places = Int32Array.from(examples.positives, (item) => positionOf(rows, item));
  const positives = keepLocal(places.filter(isThere));
  const ratings = examples.ratings?.filter((_, at) => isThere(places[at] ?? -1));
  const heldOut = examples.heldOut && heldOutWithin(examples.heldOut, positives, rows, random);
  return {
    positives,
    ...given({ ratings: ratings && keepLocal(ratings), heldOut }),
  };
}

function heldOutWithin(
  { item, candidates, ...given }: NonNullable<LocalData['heldOut']>,
  positives: Int32Array,
  rows: Uint32Array,
  random: SeededRandom,
): LocalData['heldOut'] {
  const position = positionOf(rows, item);
  const taken = new Set([...positives, position]);
  if (!isThere(position) || rows.length - taken.size < candidates.length) return undefined;
  const stream = random.fork('candidates');
  const drawn = candidates.map(() => {
    for (;;) {
      const candidate = stream.int(rows.length);
      if (taken.has(candidate)) continue;
      taken.add(candidate);
      return candidate;
    }
  });
  return keepLocal({ ...given, item: position, candidates: drawn });
}

const isThere = (position: number): boolean => position >= 0;

/** Which item of a table the catalogue's `row` is; undefined where it is not there. */
export function itemOf({ rows }: Pick<OpenTable, 'rows'>, row: number | undefined): number | undefined {
  if (row === undefined || rows === undefined) return row;
  const position = positionOf(rows, row);
  return isThere(position) ? position : undefined;
}

/** Where `row` stands among ascending `rows`, or −1. */
function positionOf(rows: Uint32Array, row: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle] as number) < row) low = middle + 1;
    else high = middle;
  }
  return rows[low] === row ? low : -1;
}

/** What the model delta is clipped to: of a slice, popularity takes its part of C. */
export function deltaNorm({ slice, clippingNorm }: RoundDescription): number {
  return slice === undefined ? clippingNorm : clippingNorm * Math.sqrt(1 - POPULARITY_SHARE ** 2);
}

/** Keeps the norm of rounded float32 numbers within what they were computed for. */
const ROUNDING = 1e-6;

/**
 * The delta with its popularity lanes: κ/√n for each of the person's n items in the slice, 0 for every other row, so that
 * their L2 norm is κ = C/8 whoever it is.
 */
export function withPopularity(
  delta: Float32Array,
  positives: LocalOnly<Int32Array>,
  { slice, clippingNorm }: RoundDescription,
): Float32Array {
  if (slice === undefined) return delta;
  const joined = new Float32Array(delta.length + slice.rows);
  joined.set(delta);
  const share = ((1 - ROUNDING) * POPULARITY_SHARE * clippingNorm) / Math.sqrt(Math.max(1, positives.length));
  for (const position of positives) joined[delta.length + position] = share;
  return joined;
}
