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

/** Copies `floats` numbers: rows are too short for a call to memory.copy to pay. */
// @ts-ignore: decorator
@inline
export function copyRow(to: usize, from: usize, floats: i32): void {
  let i = 0;
  for (; i + 4 <= floats; i += 4) v128.store(to + bytesOf(i), v128.load(from + bytesOf(i)));
  for (; i < floats; i++) setF32(to, i, getF32(from, i));
}

/** to[i] = a[i] − b[i]. */
// @ts-ignore: decorator
@inline
export function subtractRow(to: usize, a: usize, b: usize, floats: i32): void {
  let i = 0;
  for (; i + 4 <= floats; i += 4) {
    const at = bytesOf(i);
    v128.store(to + at, f32x4.sub(v128.load(a + at), v128.load(b + at)));
  }
  for (; i < floats; i++) setF32(to, i, getF32(a, i) - getF32(b, i));
}
