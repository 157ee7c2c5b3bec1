import { DecodeError } from '@tutti/base';
import { modelOfRows, putRowsInPlace, type Model, type WholeTable } from '@tutti/model';

/** What a device knows of a catalogue from the slices that it downloaded: some rows, and the newest of all that is not a row. */
export interface KnownRows {
  /** Rows of the catalogue, ascending. */
  readonly rows: Uint32Array;
  /** Their weights, in the layout of `modelOfRows`. */
  readonly shared: Float32Array;
  readonly whole: WholeTable;
}

/** Bytes before the rows. */
const HEADER_BYTES = 8;

/** Nothing yet. */
export const NO_ROWS: Uint8Array = new Uint8Array(0);

/** What is known after `newer` came: its rows replace older ones, the others stay. */
export function mergeRows(model: Model, older: KnownRows | undefined, newer: KnownRows): KnownRows {
  if (older === undefined) return newer;
  const rows = Uint32Array.from(new Set([...older.rows, ...newer.rows])).sort();
  const union = modelOfRows(model, rows.length);
  const shared = new Float32Array(union.layout.length);
  for (const part of [older, newer]) putRowsInPlace(union, shared, placesAmong(rows, part.rows), part.shared);
  return { rows, shared, whole: newer.whole };
}

/** Where each of `some` stands among `rows`; both ascend, and every one of them is there. */
function placesAmong(rows: Uint32Array, some: Uint32Array): Uint32Array {
  let at = 0;
  return some.map((row) => {
    while (rows[at] !== row) at++;
    return at;
  });
}

/** As the store keeps it: number of rows (u32), of the Gram matrix (u32), the rows, the matrix, the weights; little-endian. */
export function encodeKnownRows({
  rows,
  shared,
  whole: { gram = new Float32Array(0) },
}: KnownRows): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + 4 * (rows.length + gram.length + shared.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, rows.length, true);
  view.setUint32(4, gram.length, true);
  rows.forEach((row, i) => view.setUint32(HEADER_BYTES + 4 * i, row, true));
  gram.forEach((value, i) => view.setFloat32(HEADER_BYTES + 4 * (rows.length + i), value, true));
  const weightsAt = HEADER_BYTES + 4 * (rows.length + gram.length);
  shared.forEach((value, i) => view.setFloat32(weightsAt + 4 * i, value, true));
  return bytes;
}

/** What the store kept; nothing where it holds no row. @throws {DecodeError} if it does not fit the model. */
export function decodeKnownRows(bytes: Uint8Array | undefined, model: Model): KnownRows | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  if (bytes.length < HEADER_BYTES)
    throw new DecodeError('knownRows', `has ${bytes.length} bytes; at least ${HEADER_BYTES} are needed`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [count, grams] = [view.getUint32(0, true), view.getUint32(4, true)];
  const fits = count >= 1 && count <= model.items;
  const weights = fits ? modelOfRows(model, count).layout.length : 0;
  if (!fits || bytes.length !== HEADER_BYTES + 4 * (count + grams + weights))
    throw new DecodeError('knownRows', `has ${bytes.length} bytes, which do not fit ${count} rows`);
  const floats = (from: number, length: number): Float32Array =>
    Float32Array.from({ length }, (_, i) => view.getFloat32(from + 4 * i, true));
  return {
    rows: Uint32Array.from({ length: count }, (_, i) => view.getUint32(HEADER_BYTES + 4 * i, true)),
    shared: floats(HEADER_BYTES + 4 * (count + grams), weights),
    whole: { items: model.items, ...(grams === 0 ? {} : { gram: floats(HEADER_BYTES + 4 * count, grams) }) },
  };
}
