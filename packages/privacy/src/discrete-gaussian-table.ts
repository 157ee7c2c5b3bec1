import { flooringError, tableOf, type ExactVariance, type NoiseTable } from './noise-table.ts';

/** Fixed point that the weights are computed in: 1 is 2^320. */
const POINT = 320n;
const ONE = 1n << POINT;

/** The table ends where both tails together hold less than 2·e⁻⁷³ < 2⁻¹⁰⁴. */
const TABLE_TAIL = 73;

/** Weights below e^−LEAST_EXPONENT of the largest are taken for 0. */
const LEAST_EXPONENT = 128n;

/**
 * The table for the discrete Gaussian N_Z(0, σ²), P[X = k] ∝ exp(−k²/2σ²), computed in integers throughout.
 *
 * With a = 1/(2σ²), w_{k+1} = w_k·r_k and r_{k+1} = r_k·e^−2a from w_0 = 1, r_0 = e^−a: two products an entry, in fixed point of
 * 320 bits. Each floor costs at most 2⁻³²⁰ of 1, and the largest relative error grows with the square of k: with fewer than
 * 2²⁰ entries, and weights taken for 0 below e⁻¹²⁸ > 2⁻¹⁸⁵, all of them together stay below 2⁻⁹⁰·2⁻³² = 2⁻¹²² of the whole.
 * The tails that are cut hold 2⁻¹⁰⁴, since the law is subgaussian: P[|X| ≥ m] ≤ 2·exp(−m²/2σ²). The floor of each threshold,
 * 2⁻⁹⁶ an entry, outweighs all of it.
 *
 * @see Canonne, Kamath & Steinke, The Discrete Gaussian for Differential Privacy, NeurIPS 2020.
 */
export function discreteGaussianTable(variance: ExactVariance): NoiseTable {
  const approximate = Number(variance.numerator) / Number(variance.denominator);
  const entries = Math.ceil(Math.sqrt(2 * TABLE_TAIL * approximate)) + 2;
  return tableOf(gaussianWeights(variance, entries), entries, flooringError(entries) + 2 ** -104 + 2 ** -122);
}

/** Integers proportional to exp(−k²/2σ²), k = 0 .. entries − 1. */
function gaussianWeights({ numerator, denominator }: ExactVariance, entries: number): bigint[] {
  // a = denominator / (2·numerator)
  const shrink = exponential(denominator, numerator);
  let ratio = exponential(denominator, 2n * numerator);
  let weight = ONE;
  const weights: bigint[] = [];
  for (let k = 0; k < entries; k++) {
    weights.push(weight);
    weight = (weight * ratio) >> POINT;
    ratio = (ratio * shrink) >> POINT;
  }
  return weights;
}

/** e^−(numerator/denominator) in fixed point: the series at an argument halved until it is below 1, then squared again. */
export function exponential(numerator: bigint, denominator: bigint): bigint {
  if (numerator > LEAST_EXPONENT * denominator) return 0n;
  let halvings = 0n;
  while (numerator > denominator << halvings) halvings++;
  // 64 more bits, so that squaring does not bring the series' floors into sight.
  const point = POINT + 64n;
  let term = 1n << point;
  let sum = term;
  for (let n = 1n; term !== 0n; n++) {
    term = (-term * numerator) / ((denominator << halvings) * n);
    sum += term;
  }
  for (; halvings > 0n; halvings--) sum = (sum * sum) >> point;
  return sum >> 64n;
}
