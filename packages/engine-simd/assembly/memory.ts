/** Loads, stores and sums that the other files share. Everything is float32 little-endian unless its name says otherwise. */

// @ts-ignore: decorator
@inline
export function getF32(at: usize, index: i32): f32 {
  return load<f32>(at + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
export function setF32(at: usize, index: i32, value: f32): void {
  store<f32>(at + ((<usize>index) << 2), value);
}

// @ts-ignore: decorator
@inline
export function getI32(at: usize, index: i32): i32 {
  return load<i32>(at + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
export function setI32(at: usize, index: i32, value: i32): void {
  store<i32>(at + ((<usize>index) << 2), value);
}

// @ts-ignore: decorator
@inline
export function bytesOf(floats: i32): usize {
  return (<usize>floats) << 2;
}

/** (a0 + a2) + (a1 + a3): one order everywhere, so that results do not depend on who sums. */
// @ts-ignore: decorator
@inline
export function sumOf(a: v128): f32 {
  const halves = f32x4.add(a, i8x16.shuffle(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(halves, 0) + f32x4.extract_lane(halves, 1);
}

/** Two vectors, as registers of 256 bits hold them: V8 makes one of them where they stand side by side. Padded rows have whole pairs. */
export const PAIR: usize = 32;

// @ts-ignore: decorator
@inline
export function storePair(to: usize, first: v128, second: v128): void {
  v128.store(to, first);
  v128.store(to, second, 16);
}

/** Copies `floats` numbers: rows are too short for a call to memory.copy to pay. */
export function copyRow(to: usize, from: usize, floats: i32): void {
  let i = 0;
  for (; i + 8 <= floats; i += 8) storePair(to + bytesOf(i), v128.load(from + bytesOf(i)), v128.load(from + bytesOf(i), 16));
  for (; i < floats; i++) setF32(to, i, getF32(from, i));
}

/** to[i] = a[i] − b[i]. */
export function subtractRow(to: usize, a: usize, b: usize, floats: i32): void {
  let i = 0;
  for (; i + 8 <= floats; i += 8) {
    const at = bytesOf(i);
    storePair(
      to + at,
      f32x4.sub(v128.load(a + at), v128.load(b + at)),
      f32x4.sub(v128.load(a + at, 16), v128.load(b + at, 16)),
    );
  }
  for (; i < floats; i++) setF32(to, i, getF32(a, i) - getF32(b, i));
}
