import { concatBytes, DecodeError, utf8 } from '@tutti/base';
import type { SharedLayout } from './types.ts';

/**
 * Checkpoints in the layout of safetensors: u64 header length, JSON header {name: {dtype, shape, data_offsets}}, then the
 * tensors as little-endian float32. Only the shared part is ever written.
 */

/** Most bytes of a header. */
const LARGEST_HEADER_BYTES = 65_536;

/** A checkpoint as bytes; equal weights and metadata give equal bytes, so that its hash names it. */
export function encodeCheckpoint(options: {
  layout: SharedLayout;
  shared: Float32Array;
  metadata: Readonly<Record<string, string>>;
}): Uint8Array {
  const { layout, shared, metadata } = options;
  const entries = layout.parameters.map(({ name, shape, offset, length }) => [
    name,
    { dtype: 'F32', shape, data_offsets: [4 * offset, 4 * (offset + length)] },
  ]);
  const sorted = Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)));
  const json = JSON.stringify({ __metadata__: sorted, ...Object.fromEntries(entries) });
  const header = utf8(json.padEnd(Math.ceil(utf8(json).length / 8) * 8));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setUint32(0, header.length, true);
  const data = new Uint8Array(4 * layout.length);
  const view = new DataView(data.buffer);
  for (let i = 0; i < layout.length; i++) view.setFloat32(4 * i, shared[i] as number, true);
  return concatBytes(prefix, header, data);
}

/**
 * A checkpoint from outside, for exactly this layout.
 * @throws {DecodeError} naming the tensor or part that does not fit, or holds a number that is not finite.
 */
export function decodeCheckpoint(
  bytes: unknown,
  layout: SharedLayout,
): { shared: Float32Array; metadata: Record<string, string> } {
  if (!(bytes instanceof Uint8Array)) throw new DecodeError('checkpoint', 'is not binary');
  if (bytes.length < 8)
    throw new DecodeError('checkpoint', `has ${bytes.length} bytes; at least 8 are needed`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0 || headerBytes > LARGEST_HEADER_BYTES)
    throw new DecodeError('checkpoint.header', `is longer than ${LARGEST_HEADER_BYTES} bytes`);
  const dataAt = 8 + headerBytes;
  if (bytes.length !== dataAt + 4 * layout.length)
    throw new DecodeError(
      'checkpoint',
      `has ${bytes.length} bytes; this layout takes ${dataAt + 4 * layout.length}`,
    );
  const header = parseHeader(bytes.subarray(8, dataAt));
  checkTensors(header, layout);
  const shared = new Float32Array(layout.length);
  for (let i = 0; i < shared.length; i++) {
    const value = view.getFloat32(dataAt + 4 * i, true);
    if (!Number.isFinite(value))
      throw new DecodeError('checkpoint.data', 'holds a number that is not finite');
    shared[i] = value;
  }
  return { shared, metadata: metadataOf(header) };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DecodeError('checkpoint.header', 'is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DecodeError('checkpoint.header', 'is not an object');
  return value as Record<string, unknown>;
}

function checkTensors(header: Record<string, unknown>, layout: SharedLayout): void {
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  if (names.length !== layout.parameters.length)
    throw new DecodeError(
      'checkpoint.header',
      `names ${names.length} tensors; this layout has ${layout.parameters.length}`,
    );
  for (const { name, shape, offset, length } of layout.parameters) {
    const expected = JSON.stringify({
      dtype: 'F32',
      shape,
      data_offsets: [4 * offset, 4 * (offset + length)],
    });
    const entry = Object.hasOwn(header, name) ? header[name] : undefined;
    if (JSON.stringify(entry) !== expected)
      throw new DecodeError(
        `checkpoint.${name}`,
        `is ${JSON.stringify(entry)?.slice(0, 100) ?? 'missing'}; ${expected} is expected`,
      );
  }
}

function metadataOf(header: Record<string, unknown>): Record<string, string> {
  const value = header['__metadata__'];
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null)
    throw new DecodeError('checkpoint.__metadata__', 'is not an object');
  return Object.fromEntries(
    Object.entries(value).map(([name, text]) => {
      if (typeof text !== 'string') throw new DecodeError(`checkpoint.__metadata__.${name}`, 'is not text');
      return [name, text];
    }),
  );
}
