import { allFinite, bytesOf, DecodeError, parseJson, utf8 } from '@tutti/base';

/**
 * Named tensors in the layout of safetensors: u64 header length, JSON header {name: {dtype, shape, data_offsets}}, then the
 * tensors, little-endian, without gaps.
 */

/** One tensor to write. */
export type NamedTensor = { readonly name: string; readonly shape: readonly number[] } & (
  | { readonly dtype: 'F32'; readonly data: Float32Array }
  | { readonly dtype: 'U32'; readonly data: Uint32Array }
);

/** The form of a tensor that is expected. */
export type TensorForm = Omit<NamedTensor, 'data'>;

/** Most bytes of a header. */
const LARGEST_HEADER_BYTES = 65_536;

const lengthOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** What the header says about each tensor, in order. */
function entriesOf(
  forms: readonly TensorForm[],
): { name: string; entry: object; from: number; to: number }[] {
  let to = 0;
  return forms.map(({ name, dtype, shape }) => {
    const from = to;
    to += 4 * lengthOf(shape);
    return { name, from, to, entry: { dtype, shape, data_offsets: [from, to] } };
  });
}

/** Tensors as bytes; equal tensors and metadata give equal bytes, so that their hash names them. */
export function encodeTensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries = entriesOf(tensors);
  const sorted = Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)));
  const named = Object.fromEntries(entries.map(({ name, entry }) => [name, entry]));
  const json = JSON.stringify({ __metadata__: sorted, ...named });
  const header = utf8(json.padEnd(Math.ceil(utf8(json).length / 8) * 8));
  const dataAt = 8 + header.length;
  const bytes = new Uint8Array(dataAt + (entries.at(-1)?.to ?? 0));
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(header, 8);
  tensors.forEach(({ data }, index) => bytes.set(bytesOf(data), dataAt + (entries[index]?.from ?? 0)));
  return bytes;
}

/** What was read: the bytes of all tensors, one after another, as `forms` ordered them. */
export interface ReadTensors {
  /** The float32 tensor `name`, written into `target`, which has its length. */
  floats(name: string, target: Float32Array): Float32Array;
  /** The unsigned tensor `name`. */
  words(name: string): Uint32Array;
  /** What was said of them, for {@link metadataOf}. */
  readonly header: Readonly<Record<string, unknown>>;
}

/**
 * Tensors from outside, which must be exactly `forms`, in this order.
 * @param field names the whole in errors.
 * @throws {DecodeError} naming the tensor or part that does not fit, or holds a number that is not finite.
 */
export function decodeTensors(bytes: unknown, forms: readonly TensorForm[], field: string): ReadTensors {
  if (!(bytes instanceof Uint8Array)) throw new DecodeError(field, 'is not binary');
  if (bytes.length < 8) throw new DecodeError(field, `has ${bytes.length} bytes; at least 8 are needed`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0 || headerBytes > LARGEST_HEADER_BYTES)
    throw new DecodeError(`${field}.header`, `is longer than ${LARGEST_HEADER_BYTES} bytes`);
  const dataAt = 8 + headerBytes;
  const entries = entriesOf(forms);
  const expected = dataAt + (entries.at(-1)?.to ?? 0);
  if (bytes.length !== expected)
    throw new DecodeError(field, `has ${bytes.length} bytes; this layout takes ${expected}`);
  const header = parseHeader(bytes.subarray(8, dataAt), field);
  checkTensors(header, entries, field);
  const placeOf = (name: string): { at: number; length: number } => {
    const { from, to } = entries.find((entry) => entry.name === name) as { from: number; to: number };
    return { at: dataAt + from, length: (to - from) / 4 };
  };
  return {
    floats(name, target) {
      const { at } = placeOf(name);
      bytesOf(target).set(bytes.subarray(at, at + target.byteLength));
      if (!allFinite(target)) throw new DecodeError(`${field}.data`, 'holds a number that is not finite');
      return target;
    },
    words(name) {
      const { at, length } = placeOf(name);
      return Uint32Array.from({ length }, (_, i) => view.getUint32(at + 4 * i, true));
    },
    header,
  };
}

function parseHeader(bytes: Uint8Array, field: string): Record<string, unknown> {
  const value = parseJson(bytes, `${field}.header`);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DecodeError(`${field}.header`, 'is not an object');
  return value as Record<string, unknown>;
}

function checkTensors(
  header: Record<string, unknown>,
  expected: readonly { name: string; entry: object }[],
  field: string,
): void {
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  if (names.length !== expected.length)
    throw new DecodeError(
      `${field}.header`,
      `names ${names.length} tensors; this layout has ${expected.length}`,
    );
  for (const { name, entry } of expected) {
    const wanted = JSON.stringify(entry);
    const found = JSON.stringify(Object.hasOwn(header, name) ? header[name] : undefined);
    if (found !== wanted)
      throw new DecodeError(
        `${field}.${name}`,
        `is ${found?.slice(0, 100) ?? 'missing'}; ${wanted} is expected`,
      );
  }
}

/** What is said of the whole. @throws {DecodeError} for what is not text. */
export function metadataOf(header: Readonly<Record<string, unknown>>, field: string): Record<string, string> {
  const value = header['__metadata__'];
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null)
    throw new DecodeError(`${field}.__metadata__`, 'is not an object');
  return Object.fromEntries(
    Object.entries(value).map(([name, text]) => {
      if (typeof text !== 'string') throw new DecodeError(`${field}.__metadata__.${name}`, 'is not text');
      return [name, text];
    }),
  );
}
