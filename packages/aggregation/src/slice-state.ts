import { DecodeError, UsageError } from '@tutti/base';

/** What a coordinator remembers of the rows of a catalogue that travels in slices. */
export interface SliceState {
  /** For each row, how many updates it was part of. */
  readonly steps: Uint32Array;
  /** For each row, its mean popularity lane over the last rounds that held it; 0 before the first. float32. */
  readonly popularity: Float32Array;
  /** Rows of the current cycle's head, ascending; none in the first cycle. */
  readonly head: Uint32Array;
}

/** Rounds that a row's popularity is averaged over: about this many of those that held it. */
const MEMORY_ROUNDS = 32;

/** "TSL1", rows (u32), rows of the head (u32), then steps (u32), popularity (f32) and head (u32). All little-endian. */
const MAGIC = 0x314c5354;
const HEADER_BYTES = 12;

/** The state before the first slice. @param steps updates that every row was part of, when a task begins to slice later. */
export function initSliceState(items: number, steps = 0): SliceState {
  return {
    steps: new Uint32Array(items).fill(steps),
    popularity: new Float32Array(items),
    head: new Uint32Array(0),
  };
}

/**
 * The state after a round: the rows of its slice are one step on, and their popularity moves towards what was measured, by 1/k
 * at the k-th time (a plain mean) and by 1/32 later on. Rows outside the slice stay as they are. Pure.
 *
 * @param measured the popularity lanes' mean over the cohort, one for each of `rows`.
 * @throws {UsageError} if there are not as many, or a row is outside the catalogue.
 */
export function observeSlice(state: SliceState, rows: Uint32Array, measured: Float32Array): SliceState {
  if (rows.length !== measured.length)
    throw new UsageError(`${measured.length} popularity lanes for ${rows.length} rows`);
  if (rows.some((row) => row >= state.steps.length))
    throw new UsageError(`a row outside a catalogue of ${state.steps.length} items`);
  const steps = Uint32Array.from(state.steps);
  const popularity = Float32Array.from(state.popularity);
  rows.forEach((row, at) => {
    const step = (steps[row] as number) + 1;
    const before = popularity[row] as number;
    steps[row] = step;
    popularity[row] = before + ((measured[at] as number) - before) / Math.min(step, MEMORY_ROUNDS);
  });
  return { ...state, steps, popularity };
}

/** The `count` most popular rows, ascending; of equally popular ones the lower row numbers. */
export function mostPopular(popularity: Float32Array, count: number): Uint32Array {
  if (count === 0) return new Uint32Array(0);
  const least = Float32Array.from(popularity).sort()[popularity.length - count];
  if (least === undefined) throw new UsageError(`${count} of ${popularity.length} rows`);
  let ties = count;
  for (const value of popularity) if (value > least) ties--;
  const rows = new Uint32Array(count);
  let at = 0;
  popularity.forEach((value, row) => {
    if (value > least || (value === least && ties-- > 0)) rows[at++] = row;
  });
  return rows;
}

/** The state as bytes: equal states give equal bytes. */
export function encodeSliceState({ steps, popularity, head }: SliceState): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + 8 * steps.length + 4 * head.length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const word = (value: number): void => {
    view.setUint32(at, value, true);
    at += 4;
  };
  for (const value of [MAGIC, steps.length, head.length]) word(value);
  steps.forEach(word);
  for (const value of popularity) {
    view.setFloat32(at, value, true);
    at += 4;
  }
  head.forEach(word);
  return bytes;
}

/**
 * A state from storage, for a catalogue of `items`.
 * @throws {DecodeError} naming the field: another length, popularity that is not finite, a head that is not ascending rows.
 */
export function decodeSliceState(bytes: unknown, items: number): SliceState {
  if (!(bytes instanceof Uint8Array)) throw new DecodeError('sliceState', 'is not binary');
  if (bytes.length < HEADER_BYTES)
    throw new DecodeError('sliceState', `has ${bytes.length} bytes; at least ${HEADER_BYTES} are needed`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [magic, rows, heads] = [0, 4, 8].map((at) => view.getUint32(at, true)) as [number, number, number];
  if (magic !== MAGIC)
    throw new DecodeError('sliceState.magic', 'is not that of a slice state of this version');
  if (rows !== items) throw new DecodeError('sliceState.items', `is ${rows}; ${items} are expected`);
  const expected = HEADER_BYTES + 8 * rows + 4 * heads;
  if (bytes.length !== expected)
    throw new DecodeError('sliceState', `has ${bytes.length} bytes; its lengths take ${expected}`);
  const wordsFrom = (from: number, count: number): Uint32Array =>
    Uint32Array.from({ length: count }, (_, i) => view.getUint32(from + 4 * i, true));
  const popularity = Float32Array.from({ length: rows }, (_, i) =>
    view.getFloat32(HEADER_BYTES + 4 * (rows + i), true),
  );
  if (!popularity.every(Number.isFinite))
    throw new DecodeError('sliceState.popularity', 'holds a number that is not finite');
  const head = wordsFrom(HEADER_BYTES + 8 * rows, heads);
  if (head.some((row, at) => row >= rows || (at > 0 && row <= (head[at - 1] as number))))
    throw new DecodeError('sliceState.head', `is not ascending rows of ${rows} items`);
  return { steps: wordsFrom(HEADER_BYTES, rows), popularity, head };
}
