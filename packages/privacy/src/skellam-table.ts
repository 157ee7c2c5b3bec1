/**
 * The integer table that Skellam noise is drawn from: thresholds of P[|X| ≤ i], 96 bits each, computed in integers
 * throughout.
 */
export interface SkellamTable {
  /** Thresholds of P[|X| ≤ i] in units of 2⁻⁹⁶, as three 32-bit words, most significant first. The last one stands for 1. */
  readonly high: Uint32Array;
  readonly middle: Uint32Array;
  readonly low: Uint32Array;
  /** For each value of a word's top bits, the first i whose threshold is not below it. */
  readonly guide: Uint32Array;
  /** 32 less the bits that index the guide. */
  readonly guideShift: number;
  /** Total variation distance from Skellam(variance) is at most this. */
  readonly errorBound: number;
}

/** A variance as an exact fraction of integers. */
export interface ExactVariance {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Bits of a threshold. */
const BITS = 96n;

/** Where the recurrence starts: a weight of 2¹²⁸, so that each floor below it costs at most 2⁻¹²⁷ of a weight. */
const START = 1n << 128n;

/** The table ends where both tails together hold less than 2·e⁻⁷³ < 2⁻¹⁰⁴; the recurrence starts where they hold 2·e⁻¹⁰⁰. */
const TABLE_TAIL = 73;
const START_TAIL = 100;

const MOST_GUIDE_BITS = 16;

/**
 * Bernstein's bound for the difference of two Poisson counts, whose steps are 1: P[|X| ≥ k] ≤ 2·exp(−k²/(2(µ + k/3))).
 * The least k that brings it to 2·e^−tail.
 */
function reach(variance: number, tail: number): number {
  const third = tail / 3;
  return Math.ceil(third + Math.sqrt(third * third + 2 * tail * variance));
}

/**
 * The table for one variance µ.
 *
 * P[X = k] = e^−µ·I_k(µ), with I the modified Bessel functions. They obey I_{k−1} = I_{k+1} + (2k/µ)·I_k, which is
 * stable downwards (Miller's algorithm): it starts from 0 and an arbitrary weight far out in the tail, adds only positive
 * terms, and the weights are divided by their sum. No exponential is computed.
 *
 * What is lost: the other solution of the recurrence, at most I_{start}(µ) a weight, together below
 * 2·start·e⁻¹⁰⁰ of the whole; flooring, at most 2·start·2⁻¹²⁷; the tails that are cut, 2⁻¹⁰⁴; and the floor of each
 * threshold, 2⁻⁹⁶ an entry, which outweighs all of them.
 *
 * @see Abramowitz & Stegun 9.6.26; Gautschi, Computational Aspects of Three-Term Recurrence Relations, SIAM Review 1967.
 */
export function skellamTable(variance: ExactVariance): SkellamTable {
  const approximate = Number(variance.numerator) / Number(variance.denominator);
  const start = reach(approximate, START_TAIL);
  const entries = reach(approximate, TABLE_TAIL) + 1;
  const thresholds = thresholdsOf(besselWeights(variance, start), entries);
  const errorBound = entries * 2 ** -96 + 2 ** -104 + 2 * start * (Math.exp(-START_TAIL) + 2 ** -127);
  return { ...thresholds, ...guideOf(thresholds.high), errorBound };
}

/** Integers proportional to I_0(µ), I_1(µ) … I_start(µ). */
function besselWeights({ numerator, denominator }: ExactVariance, start: number): bigint[] {
  const weights = new Array<bigint>(start + 1);
  const step = 2n * denominator;
  let above = 0n;
  let here = START;
  let factor = BigInt(start) * step;
  for (let k = start; k > 0; k--) {
    weights[k] = here;
    const below = above + (here * factor) / numerator;
    above = here;
    here = below;
    factor -= step;
  }
  weights[0] = here;
  return weights;
}

/** Cumulative weights of |X| over their whole sum, in units of 2⁻⁹⁶, rounded down. */
function thresholdsOf(
  weights: readonly bigint[],
  entries: number,
): Pick<SkellamTable, 'high' | 'middle' | 'low'> {
  const middle0 = weights[0] ?? 0n;
  const total = weights.reduce((sum, weight) => sum + 2n * weight, -middle0);
  const high = new Uint32Array(entries);
  const middle = new Uint32Array(entries);
  const low = new Uint32Array(entries);
  let cumulative = -middle0;
  for (let i = 0; i < entries - 1; i++) {
    cumulative += 2n * (weights[i] as bigint);
    const threshold = (cumulative << BITS) / total;
    high[i] = Number(threshold >> 64n);
    middle[i] = Number(BigInt.asUintN(32, threshold >> 32n));
    low[i] = Number(BigInt.asUintN(32, threshold));
  }
  for (const words of [high, middle, low]) words[entries - 1] = 0xffff_ffff;
  return { high, middle, low };
}

function guideOf(high: Uint32Array): Pick<SkellamTable, 'guide' | 'guideShift'> {
  const bits = Math.min(MOST_GUIDE_BITS, Math.ceil(Math.log2(high.length)) + 1);
  const guideShift = 32 - bits;
  const guide = new Uint32Array(2 ** bits);
  let index = 0;
  for (let top = 0; top < guide.length; top++) {
    while ((high[index] as number) >>> guideShift < top) index++;
    guide[top] = index;
  }
  return { guide, guideShift };
}
