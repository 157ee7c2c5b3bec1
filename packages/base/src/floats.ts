/** The bytes of `numbers`, in the same memory: little-endian, as every machine is that this runs on. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Whether every number is finite. One that is not makes the sum NaN; a loop without a way out is three times as fast. */
export function allFinite(numbers: Float32Array): boolean {
  let zero = 0;
  for (let i = 0; i < numbers.length; i++) zero += 0 * (numbers[i] as number);
  return zero === 0;
}
