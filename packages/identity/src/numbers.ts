import { UsageError } from '@tutti/base';

/** Whole numbers as little-endian bytes, and checks of the two units that stand in tokens and tree heads. */

/** Seconds since the epoch fit in 48 bits for millions of years. */
export const LATEST_SECOND = 2 ** 48 - 1;

/** A log holds fewer entries than this, so that a position fits in 32 bits. */
export const LARGEST_LOG = 2 ** 32 - 1;

/** `value` in `length` bytes, least significant first. */
export function littleEndian(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0, rest = value; at < length; at++, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  return bytes;
}

/** The number that `bytes` hold, least significant first; exact up to 6 bytes. */
export function fromLittleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => 256 * value + byte, 0);
}

/** @throws {UsageError} unless `value` is a whole number from `least` to `most`. */
export function checkWhole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new UsageError(`${name} is ${value}; a whole number from ${least} to ${most} is needed`);
}
