import { concatBytes, utf8 } from '@tutti/base';

/**
 * Records of TensorBoard's event files: a TFRecord frame around an `Event` message.
 * @see tensorflow/core/lib/io/record_writer.h (frames), tensorflow/core/util/event.proto and framework/summary.proto (messages)
 */

/** What a file begins with. */
const FILE_VERSION = 'brain.Event:2';

const FIXED64 = 1;
const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

/** Length, its checksum, and the checksum of the data behind it. */
const HEAD_BYTES = 12;
const FOOT_BYTES = 4;

/** The record that a file begins with. */
export function versionRecord(wallSeconds: number): Uint8Array {
  return framed(concatBytes(double(1, wallSeconds), text(3, FILE_VERSION)));
}

/** A record with scalars of one step. */
export function scalarsRecord(
  wallSeconds: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array {
  const values = Object.entries(scalars).map(([tag, value]) =>
    message(1, concatBytes(text(1, tag), float(2, value))),
  );
  return framed(
    concatBytes(double(1, wallSeconds), key(2, VARINT), varint(step), message(5, concatBytes(...values))),
  );
}

/**
 * The largest step in a file; −1 for none.
 * A record that a crash cut off, or that is damaged, ends the file, as it does for TensorBoard.
 */
export function lastStepIn(file: Uint8Array): number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let last = -1;
  for (let at = 0; at + HEAD_BYTES + FOOT_BYTES <= file.length;) {
    const length = Number(view.getBigUint64(at, true));
    const from = at + HEAD_BYTES;
    if (masked(file.subarray(at, at + 8)) !== view.getUint32(at + 8, true)) break;
    if (from + length + FOOT_BYTES > file.length) break;
    const data = file.subarray(from, from + length);
    if (masked(data) !== view.getUint32(from + length, true)) break;
    last = Math.max(last, stepOf(data));
    at = from + length + FOOT_BYTES;
  }
  return last;
}

/** The step of an event with a summary: these write the time first, then the step. */
function stepOf(event: Uint8Array): number {
  const at = 9;
  if (event[at] !== ((2 << 3) | VARINT)) return -1;
  let step = 0;
  for (let index = at + 1, scale = 1; index < event.length; index++, scale *= 128) {
    const byte = event[index] as number;
    step += (byte & 0x7f) * scale;
    if (byte < 0x80) return step;
  }
  return -1;
}

function framed(data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEAD_BYTES + data.length + FOOT_BYTES);
  const view = new DataView(frame.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(frame.subarray(0, 8)), true);
  frame.set(data, HEAD_BYTES);
  view.setUint32(HEAD_BYTES + data.length, masked(data), true);
  return frame;
}

const key = (field: number, wire: number): Uint8Array => varint((field << 3) | wire);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}

const message = (field: number, bytes: Uint8Array): Uint8Array =>
  concatBytes(key(field, BYTES), varint(bytes.length), bytes);

const text = (field: number, value: string): Uint8Array => message(field, utf8(value));

function double(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return concatBytes(key(field, FIXED64), bytes);
}

function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concatBytes(key(field, FIXED32), bytes);
}

/** CRC-32C (Castagnoli), reflected, by the byte. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc >>> 0;
});

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** A checksum of data that may hold checksums itself: turned and moved. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
