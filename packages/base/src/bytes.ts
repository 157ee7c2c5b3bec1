import { DecodeError } from './errors.ts';

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += HEX[byte] as string;
  return out;
}

/**
 * The bytes that `hex` (lower case, even length) stands for.
 * @throws {DecodeError} naming `field` when it is not hexadecimal, or not `length` bytes where a length is given.
 */
export function fromHex(hex: string, field = 'hex', length?: number): Uint8Array {
  if (hex.length % 2 !== 0 || !/^[0-9a-f]*$/.test(hex))
    throw new DecodeError(field, 'is not lower-case hexadecimal');
  if (length !== undefined && hex.length !== 2 * length) {
    throw new DecodeError(field, `has ${hex.length / 2} bytes; ${length} are expected`);
  }
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = 16 * digitAt(hex, 2 * i) + digitAt(hex, 2 * i + 1);
  return out;
}

/** The value of a digit that is known to be one: 0 to 9 are 48 to 57, a to f from 97 on. */
function digitAt(hex: string, index: number): number {
  const code = hex.charCodeAt(index);
  return code < 58 ? code - 48 : code - 87;
}

/**
 * Zeros in memory of their own, for secrets. A small typed array lies within the heap of the engine, which moves it about and leaves
 * copies behind that nobody can overwrite; the memory of an array buffer stays where it is, so that {@link wipe} leaves nothing.
 */
export function secretBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** A copy of `bytes` that can be wiped; see {@link secretBytes}. */
export function secretCopy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = secretBytes(bytes.length);
  copy.set(bytes);
  return copy;
}

/** One array holding all `parts`, in order; it can be wiped, see {@link secretBytes}. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = secretBytes(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Whether `a` and `b` hold the same bytes; the time depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/** Overwrites secrets with zeros. Call it where the one owner of a secret is done with it. */
export function wipe(...secrets: readonly (Uint8Array | Uint32Array | Uint16Array | Float32Array)[]): void {
  for (const secret of secrets) secret.fill(0);
}

const encoder = new TextEncoder();

/** UTF-8 of `text`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/**
 * Canonical JSON: no white space, object keys sorted by UTF-16 code unit, numbers as ECMAScript prints them
 * (RFC 8785 for the values we use). Two equal values give equal text, so that it can be hashed and signed.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
