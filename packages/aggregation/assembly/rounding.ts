/**
 * Stochastic rounding with SIMD, four lanes at a time; src/rounding.ts says what it computes and holds the same in TypeScript.
 * The host copies chunks in and out. Compiled by `npm run build:wasm -w packages/aggregation` into src/rounding-wasm.gen.ts.
 */

/** Lanes of a chunk, and words that may lie ready for it. */
export const CHUNK_LANES: i32 = 4_096;
export const CHUNK_WORDS: i32 = 1_280;
/** Words that four lanes may take. */
const VECTOR_WORDS: usize = 5;
export const DELTA_OFFSET: usize = 0;
export const LANES_OFFSET: usize = 16_384;
export const WORDS_OFFSET: usize = 32_768;

/** 1.5·2⁵²: a whole number of fewer than 52 bits that is added to it stands in the low bits of the sum, as an integer. */
const INTEGERS: f64 = 6755399441055744;

/** Rounds up those lanes of the vector `at` of which one more word says so: it decides on the bits that follow the first eight. @returns the next word. */
function roundTied(at: usize, tied: i32, factor: f64, word: usize): usize {
  for (; tied != 0; tied >>= 1) {
    if ((tied & 1) != 0) {
      const value = <f64>load<f32>(DELTA_OFFSET + at) * factor;
      const drawn = <f64>load<u32>(word) * 2.3283064365386963e-10 + 1.1641532182693481e-10;
      if (drawn < value - floor<f64>(value)) store<i32>(LANES_OFFSET + at, load<i32>(LANES_OFFSET + at) + 1);
      word += 4;
    }
    at += 4;
  }
  return word;
}

/** The low halves of two vectors of two integers. */
// @ts-ignore: decorator
@inline
function lowHalves(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}

/** The lane of a chunk that {@link roundChunk} came to. */
export let reached: i32 = 0;

/**
 * Rounds lanes `from` to `to`, both multiples of four, times `factor`, with the first `words` of the words; it ends early where those
 * may not be enough. @returns the words taken.
 */
export function roundChunk(from: i32, to: i32, factor: f64, words: i32): i32 {
  const zero = i32x4.splat(0);
  const factors = f64x2.splat(256 * factor);
  const integers = f64x2.splat(INTEGERS);
  let word = WORDS_OFFSET;
  const enough = WORDS_OFFSET + (<usize>words << 2);
  let at = <usize>from << 2;
  for (; at < <usize>to << 2 && word + (VECTOR_WORDS << 2) <= enough; at += 16) {
    const bits = load<u32>(word);
    word += 4;
    const delta = v128.load(DELTA_OFFSET + at);
    if (!v128.any_true(f32x4.ne(delta, f32x4.splat(0)))) {
      v128.store(LANES_OFFSET + at, zero);
      // A byte of 0 ties with a fraction of 0: its word is taken, and rounds down.
      if (((bits - 0x01010101) & ~bits & 0x80808080) != 0)
        for (let shift = 0; shift < 32; shift += 8) word += ((bits >> shift) & 255) == 0 ? 4 : 0;
      continue;
    }
    // In 256ths: the last eight bits of their whole part are held against the random ones.
    const low = f64x2.mul(f64x2.promote_low_f32x4(delta), factors);
    const high = f64x2.mul(f64x2.promote_low_f32x4(i8x16.shuffle(delta, delta, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)), factors);
    const wholeLow = f64x2.floor(low);
    const wholeHigh = f64x2.floor(high);
    const a = f64x2.add(wholeLow, integers);
    const b = f64x2.add(wholeHigh, integers);
    const firstBits = v128.and(lowHalves(a, b), i32x4.splat(255));
    const lanes = lowHalves(i64x2.shr_u(a, 8), i64x2.shr_u(b, 8));
    const drawn = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(i32x4.splat(<i32>bits)));
    // What compares as true is −1.
    v128.store(LANES_OFFSET + at, i32x4.sub(lanes, i32x4.lt_s(drawn, firstBits)));
    const tied = i32x4.bitmask(i32x4.eq(drawn, firstBits));
    if (tied != 0) word = roundTied(at, tied, 256 * factor, word);
  }
  reached = <i32>(at >> 2);
  return <i32>((word - WORDS_OFFSET) >> 2);
}

/** Forgets deltas, lanes and words. */
export function wipe(): void {
  memory.fill(0, 0, 65_536);
}
