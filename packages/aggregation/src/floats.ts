/** float32 numbers, and their bytes, little-endian. */

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The bytes of `floats`; in the same memory where the machine is little-endian. */
export function bytesOfFloats(floats: Float32Array): Uint8Array {
  const bytes = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  return isLittleEndian ? bytes : swapped(bytes);
}

/** The numbers that `bytes` hold, four each, in memory of their own. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  const own = isLittleEndian ? new Uint8Array(bytes) : swapped(bytes);
  return new Float32Array(own.buffer);
}

/** A copy with the four bytes of each number in reverse. */
function swapped(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  for (let at = 0; at < copy.length; at += 4) copy.subarray(at, at + 4).reverse();
  return copy;
}

/** Whether every number is finite. One that is not makes the sum NaN: a loop without a way out is three times as fast. */
export function allFinite(values: Float32Array): boolean {
  let zero = 0;
  for (let i = 0; i < values.length; i++) zero += 0 * (values[i] as number);
  return zero === 0;
}
