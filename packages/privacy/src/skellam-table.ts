import { flooringError, tableOf, type ExactVariance, type NoiseTable } from './noise-table.ts';

/** Where the recurrence starts: a weight of 2¹²⁸, so that each floor below it costs at most 2⁻¹²⁷ of a weight. */
const START = 1n << 128n;

/** The table ends where both tails together hold less than 2·e⁻⁷³ < 2⁻¹⁰⁴; the recurrence starts where they hold 2·e⁻¹⁰⁰. */
const TABLE_TAIL = 73;
const START_TAIL = 100;

/**
 * Bernstein's bound for the difference of two Poisson counts, whose steps are 1: P[|X| ≥ k] ≤ 2·exp(−k²/(2(µ + k/3))).
 * The least k that brings it to 2·e^−tail.
 */
function reach(variance: number, tail: number): number {
  const third = tail / 3;
  return Math.ceil(third + Math.sqrt(third * third + 2 * tail * variance));
}

/**
 * The table for Skellam noise of one variance µ, computed in integers throughout.
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
export function skellamTable(variance: ExactVariance): NoiseTable {
  const approximate = Number(variance.numerator) / Number(variance.denominator);
  const start = reach(approximate, START_TAIL);
  const entries = reach(approximate, TABLE_TAIL) + 1;
  const lost = 2 ** -104 + 2 * start * (Math.exp(-START_TAIL) + 2 ** -127);
  return tableOf(besselWeights(variance, start), entries, flooringError(entries) + lost);
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
