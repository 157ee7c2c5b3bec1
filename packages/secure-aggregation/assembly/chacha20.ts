/**
 * ChaCha20 (RFC 8439) with SIMD: four blocks at a time, lane i of each vector belongs to block i. The stream is added straight into
 * the target, which lies in this module's memory; the host copies it in and out by chunks.
 *
 * Compiled by `npm run build:wasm -w packages/secure-aggregation` into src/chacha20-wasm.gen.ts.
 */

/** 32 bytes of key. */
const KEY: usize = 0;
/** One block's worth of spare target words, for the last blocks that the target does not fill. */
const SPARE: usize = 64;
/** The target: up to CHUNK_WORDS words. */
const TARGET: usize = 512;

/** A stream that was made elsewhere, as many words: the second page. */
const SOURCE: usize = 65_536;

/** Words that fit between TARGET and the end of its page. */
export const CHUNK_WORDS: i32 = 16_128;
export const TARGET_OFFSET: usize = TARGET;
export const SOURCE_OFFSET: usize = SOURCE;

// @ts-ignore: decorator
@inline
function rotate16(x: v128): v128 {
  return i8x16.shuffle(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

// @ts-ignore: decorator
@inline
function rotate12(x: v128): v128 {
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20));
}

// @ts-ignore: decorator
@inline
function rotate8(x: v128): v128 {
  return i8x16.shuffle(x, x, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
}

// @ts-ignore: decorator
@inline
function rotate7(x: v128): v128 {
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25));
}

// @ts-ignore: decorator
@inline
function keyWord(i: i32): v128 {
  return i32x4.splat(load<i32>(KEY + (i << 2)));
}

/** target[at] += or −= the words of one block's quarter: −x is ~x + 1. */
// @ts-ignore: decorator
@inline
function put(at: usize, words: v128, minus: bool): void {
  const flip = i32x4.splat(-(<i32>minus));
  v128.store(at, i32x4.add(v128.load(at), i32x4.sub(v128.xor(words, flip), flip)));
}

/** Four vectors of one word of four blocks each become four vectors of four words of one block each, and are added. */
function putQuarter(at: usize, a: v128, b: v128, c: v128, d: v128, minus: bool): void {
  const ab0 = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const ab1 = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const cd0 = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const cd1 = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  put(at, i8x16.shuffle(ab0, cd0, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), minus);
  put(at + 64, i8x16.shuffle(ab0, cd0, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), minus);
  put(at + 128, i8x16.shuffle(ab1, cd1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), minus);
  put(at + 192, i8x16.shuffle(ab1, cd1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), minus);
}

/** Adds four blocks, from `counter` on, to the 64 words at `at`. */
function addFourBlocks(at: usize, counter: i32, minus: bool): void {
  const counters = i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3));
  let x0 = i32x4.splat(0x61707865);
  let x1 = i32x4.splat(0x3320646e);
  let x2 = i32x4.splat(0x79622d32);
  let x3 = i32x4.splat(0x6b206574);
  let x4 = keyWord(0);
  let x5 = keyWord(1);
  let x6 = keyWord(2);
  let x7 = keyWord(3);
  let x8 = keyWord(4);
  let x9 = keyWord(5);
  let x10 = keyWord(6);
  let x11 = keyWord(7);
  let x12 = counters;
  let x13 = i32x4.splat(0);
  let x14 = i32x4.splat(0);
  let x15 = i32x4.splat(0);
  for (let round = 0; round < 10; round++) {
    x0 = i32x4.add(x0, x4);
    x12 = rotate16(v128.xor(x12, x0));
    x8 = i32x4.add(x8, x12);
    x4 = rotate12(v128.xor(x4, x8));
    x0 = i32x4.add(x0, x4);
    x12 = rotate8(v128.xor(x12, x0));
    x8 = i32x4.add(x8, x12);
    x4 = rotate7(v128.xor(x4, x8));
    x1 = i32x4.add(x1, x5);
    x13 = rotate16(v128.xor(x13, x1));
    x9 = i32x4.add(x9, x13);
    x5 = rotate12(v128.xor(x5, x9));
    x1 = i32x4.add(x1, x5);
    x13 = rotate8(v128.xor(x13, x1));
    x9 = i32x4.add(x9, x13);
    x5 = rotate7(v128.xor(x5, x9));
    x2 = i32x4.add(x2, x6);
    x14 = rotate16(v128.xor(x14, x2));
    x10 = i32x4.add(x10, x14);
    x6 = rotate12(v128.xor(x6, x10));
    x2 = i32x4.add(x2, x6);
    x14 = rotate8(v128.xor(x14, x2));
    x10 = i32x4.add(x10, x14);
    x6 = rotate7(v128.xor(x6, x10));
    x3 = i32x4.add(x3, x7);
    x15 = rotate16(v128.xor(x15, x3));
    x11 = i32x4.add(x11, x15);
    x7 = rotate12(v128.xor(x7, x11));
    x3 = i32x4.add(x3, x7);
    x15 = rotate8(v128.xor(x15, x3));
    x11 = i32x4.add(x11, x15);
    x7 = rotate7(v128.xor(x7, x11));
    x0 = i32x4.add(x0, x5);
    x15 = rotate16(v128.xor(x15, x0));
    x10 = i32x4.add(x10, x15);
    x5 = rotate12(v128.xor(x5, x10));
    x0 = i32x4.add(x0, x5);
    x15 = rotate8(v128.xor(x15, x0));
    x10 = i32x4.add(x10, x15);
    x5 = rotate7(v128.xor(x5, x10));
    x1 = i32x4.add(x1, x6);
    x12 = rotate16(v128.xor(x12, x1));
    x11 = i32x4.add(x11, x12);
    x6 = rotate12(v128.xor(x6, x11));
    x1 = i32x4.add(x1, x6);
    x12 = rotate8(v128.xor(x12, x1));
    x11 = i32x4.add(x11, x12);
    x6 = rotate7(v128.xor(x6, x11));
    x2 = i32x4.add(x2, x7);
    x13 = rotate16(v128.xor(x13, x2));
    x8 = i32x4.add(x8, x13);
    x7 = rotate12(v128.xor(x7, x8));
    x2 = i32x4.add(x2, x7);
    x13 = rotate8(v128.xor(x13, x2));
    x8 = i32x4.add(x8, x13);
    x7 = rotate7(v128.xor(x7, x8));
    x3 = i32x4.add(x3, x4);
    x14 = rotate16(v128.xor(x14, x3));
    x9 = i32x4.add(x9, x14);
    x4 = rotate12(v128.xor(x4, x9));
    x3 = i32x4.add(x3, x4);
    x14 = rotate8(v128.xor(x14, x3));
    x9 = i32x4.add(x9, x14);
    x4 = rotate7(v128.xor(x4, x9));
  }
  putQuarter(at + 0, i32x4.add(x0, i32x4.splat(0x61707865)), i32x4.add(x1, i32x4.splat(0x3320646e)), i32x4.add(x2, i32x4.splat(0x79622d32)), i32x4.add(x3, i32x4.splat(0x6b206574)), minus);
  putQuarter(at + 16, i32x4.add(x4, keyWord(0)), i32x4.add(x5, keyWord(1)), i32x4.add(x6, keyWord(2)), i32x4.add(x7, keyWord(3)), minus);
  putQuarter(at + 32, i32x4.add(x8, keyWord(4)), i32x4.add(x9, keyWord(5)), i32x4.add(x10, keyWord(6)), i32x4.add(x11, keyWord(7)), minus);
  putQuarter(at + 48, i32x4.add(x12, counters), x13, x14, x15, minus);
}

/**
 * Adds the stream of the key in memory, from block `counter` on, to `words` words at TARGET. The last blocks go by way of
 * SPARE, so that nothing beyond the target is touched.
 */
export function addStream(words: i32, counter: i32, minus: bool): void {
  const whole = words & ~63;
  for (let at = 0; at < whole; at += 64) {
    addFourBlocks(TARGET + ((<usize>at) << 2), counter, minus);
    counter += 4;
  }
  const rest = words - whole;
  if (rest == 0) return;
  const last = TARGET + ((<usize>whole) << 2);
  memory.copy(SPARE, last, (<usize>rest) << 2);
  addFourBlocks(SPARE, counter, minus);
  memory.copy(last, SPARE, (<usize>rest) << 2);
}

/**
 * Adds the `words` words at SOURCE to those at TARGET. It goes by sixteen words at a time, so it may change what lies
 * behind the target in its page, which nobody reads.
 */
export function addSource(words: i32, minus: bool): void {
  const end = (<usize>words) << 2;
  for (let at: usize = 0; at < end; at += 64) {
    put(TARGET + at, v128.load(SOURCE + at), minus);
    put(TARGET + at + 16, v128.load(SOURCE + at + 16), minus);
    put(TARGET + at + 32, v128.load(SOURCE + at + 32), minus);
    put(TARGET + at + 48, v128.load(SOURCE + at + 48), minus);
  }
}

/** Forgets key, target, spare words and source. */
export function wipe(): void {
  memory.fill(0, 0, 131_072);
}
