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

/** One more word decides on the bits that follow the first eight. */
// @ts-ignore: decorator
@inline
function above(word: u32, rest: f64): i32 {
  return <f64>word * 2.3283064365386963e-10 + 1.1641532182693481e-10 < rest ? 1 : 0;
}

// @ts-ignore: decorator
@inline
function highHalf(x: v128): v128 {
  return i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
}

/** The integers of two vectors of two whole float64 numbers. */
// @ts-ignore: decorator
@inline
function integersOf(low: v128, high: v128): v128 {
  const a = i32x4.trunc_sat_f64x2_s_zero(low);
  const b = i32x4.trunc_sat_f64x2_s_zero(high);
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

/** The lane of a chunk that {@link roundChunk} came to. */
export let reached: i32 = 0;

/**
 * Rounds lanes `from` to `to`, both multiples of four, times `factor`, with the first `words` of the words; it ends early where those
 * may not be enough. @returns the words taken.
 */
export function roundChunk(from: i32, to: i32, factor: f64, words: i32): i32 {
  const zero = i32x4.splat(0);
  const factors = f64x2.splat(factor);
  const byte = f64x2.splat(256);
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
    const low = f64x2.mul(f64x2.promote_low_f32x4(delta), factors);
    const high = f64x2.mul(f64x2.promote_low_f32x4(highHalf(delta)), factors);
    const belowLow = f64x2.floor(low);
    const belowHigh = f64x2.floor(high);
    const shareLow = f64x2.mul(f64x2.sub(low, belowLow), byte);
    const shareHigh = f64x2.mul(f64x2.sub(high, belowHigh), byte);
    const firstBits = integersOf(shareLow, shareHigh);
    const drawn = i8x16.shuffle(i32x4.splat(<i32>bits), zero, 0, 16, 16, 16, 1, 16, 16, 16, 2, 16, 16, 16, 3, 16, 16, 16);
    let up = i32x4.shr_u(i32x4.sub(drawn, firstBits), 31);
    const tied = i32x4.eq(drawn, firstBits);
    if (v128.any_true(tied)) {
      if (i32x4.extract_lane(tied, 0) != 0) {
        up = i32x4.replace_lane(up, 0, above(load<u32>(word), f64x2.extract_lane(shareLow, 0) - <f64>i32x4.extract_lane(firstBits, 0)));
        word += 4;
      }
      if (i32x4.extract_lane(tied, 1) != 0) {
        up = i32x4.replace_lane(up, 1, above(load<u32>(word), f64x2.extract_lane(shareLow, 1) - <f64>i32x4.extract_lane(firstBits, 1)));
        word += 4;
      }
      if (i32x4.extract_lane(tied, 2) != 0) {
        up = i32x4.replace_lane(up, 2, above(load<u32>(word), f64x2.extract_lane(shareHigh, 0) - <f64>i32x4.extract_lane(firstBits, 2)));
        word += 4;
      }
      if (i32x4.extract_lane(tied, 3) != 0) {
        up = i32x4.replace_lane(up, 3, above(load<u32>(word), f64x2.extract_lane(shareHigh, 1) - <f64>i32x4.extract_lane(firstBits, 3)));
        word += 4;
      }
    }
    v128.store(LANES_OFFSET + at, i32x4.add(integersOf(belowLow, belowHigh), up));
  }
  reached = <i32>(at >> 2);
  return <i32>((word - WORDS_OFFSET) >> 2);
}

/** Forgets deltas, lanes and words. */
export function wipe(): void {
  memory.fill(0, 0, 65_536);
}
