import type { RandomWords } from '@tutti/base';
import { discreteGaussianTable } from './discrete-gaussian-table.ts';
import { addDrawsInPlace, exactly, tableCache } from './noise-table.ts';
import { lanesOf } from './skellam.ts';

/** Largest variance of discrete Gaussian noise: draws stay within 31 bits but for a chance below 1e-14 a lane. */
export const LARGEST_GAUSSIAN_VARIANCE = 2 ** 50;

/** Variances that one table is made for, for many lanes and for few: the wider one takes a tenth of a second to make. */
const WIDE_TABLE = 2 ** 28;
const NARROW_TABLE = 2 ** 24;

/** Fewer lanes than this do not repay a wide table. */
const MANY_LANES = 4_096;

/** Deviations of the table that one coarse step may span: the error is then 2·exp(−2π²·4²) < 2⁻⁴⁵⁰. */
const DEVIATIONS_A_STEP = 4;

const cached = tableCache();

/**
 * Adds discrete Gaussian noise to target[from .. to), modulo 2³², in place: independent draws of N_Z(0, σ²).
 *
 * What a coordinator adds to a sum of integers: its Rényi privacy is that of the continuous Gaussian, α·Δ²/(2σ²), and no
 * floating-point number decides a draw. Exact but for the table's total variation error, below 2⁻⁷⁷ a draw. A variance too
 * wide for a table is drawn as x₁ + M·x₂ with x₁ and x₂ from one narrower table, M at most a quarter of its deviation: the sum
 * of the two lattices' Gaussians is N_Z to a relative 2·exp(−2π²·16), which is nothing beside the table's own error.
 *
 * @param target ring words, two's complement. Changed.
 * @param from first lane; @param to one past the last, 0 ≤ from ≤ to ≤ target.length.
 * @param variance σ² of each lane, in squared ring units: 0 (no noise, and no words are taken) or more, at most 2⁵⁰.
 * @param words decides every draw: cryptographic where the noise protects anyone, seeded in a simulation.
 * @throws {UsageError} for a variance or range outside these.
 * @see Canonne, Kamath & Steinke, The Discrete Gaussian for Differential Privacy, NeurIPS 2020, Theorem 4; for sums over two
 *   lattices Micciancio & Peikert, Hardness of SIS and LWE with Small Parameters, CRYPTO 2013, Theorem 3.3.
 */
export function addGaussianNoise(
  target: Uint32Array,
  from: number,
  to: number,
  variance: number,
  words: RandomWords,
): void {
  const lanes = lanesOf(target, from, to, { variance, largest: LARGEST_GAUSSIAN_VARIANCE });
  if (variance === 0 || lanes.length === 0) return;
  const coarse = coarseStep(variance, lanes.length < MANY_LANES ? NARROW_TABLE : WIDE_TABLE);
  const parts = coarse === 0 ? 1 : coarse * coarse + 1;
  const table = cached(`${variance}/${parts}`, () => discreteGaussianTable(exactly(variance, parts)));
  addDrawsInPlace(lanes, { draws: 1, step: 1 }, table, words);
  if (coarse > 0) addDrawsInPlace(lanes, { draws: 1, step: coarse }, table, words);
}

/** M: 0 where one table of at most `widest` holds the variance; else the least at which two of its draws make it up. */
function coarseStep(variance: number, widest: number): number {
  if (variance <= widest) return 0;
  const step = Math.ceil(Math.sqrt(variance / widest - 1));
  // With few lanes a variance beyond what narrow tables reach takes the wide one.
  const fits = step * DEVIATIONS_A_STEP <= Math.sqrt(variance / (step * step + 1));
  return fits ? step : coarseStep(variance, WIDE_TABLE);
}
