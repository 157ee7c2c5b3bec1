import { UsageError, type RandomWords } from '@tutti/base';
import { addDrawsInPlace, exactly, tableCache } from './noise-table.ts';
import { skellamTable } from './skellam-table.ts';

/** Largest variance of one lane's noise: beyond it a draw would be a sum of thousands. */
export const LARGEST_NOISE_VARIANCE = 2 ** 40;

/** Variances that one table is made for: larger noise is the sum of independent draws, which is exactly Skellam again. */
const WIDE_TABLE = 2 ** 28;
const NARROW_TABLE = 2 ** 24;

/** Fewer lanes than this do not repay a wide table. */
const MANY_LANES = 4_096;

const cached = tableCache();

/**
 * Adds Skellam noise to target[from .. to), modulo 2³², in place: each lane gets an independent draw of the difference of
 * two Poisson counts of rate µ/2.
 *
 * Exact but for the table's total variation error, below 2⁻⁷⁷ a draw (96-bit thresholds; `skellam-table.ts` derives
 * it). Skellam noise is closed under addition: the survivors' noises add up to one Skellam draw whose variance is the sum
 * of theirs, whoever dropped out. The same fact makes large variances out of small ones here.
 *
 * @param target ring words, two's complement. Changed.
 * @param from first lane; @param to one past the last, 0 ≤ from ≤ to ≤ target.length.
 * @param variance µ of each lane, in squared ring units: 0 (no noise, and no words are taken) or more, at most 2⁴⁰.
 * @param words decides every draw: cryptographic on a device (`secureWords`), seeded in a simulation. How many are taken
 *   depends on the draws, on the variance and on the number of lanes.
 * @throws {UsageError} for a variance or range outside these.
 * @see Agarwal, Kairouz & Liu, The Skellam Mechanism for Differentially Private Federated Learning, NeurIPS 2021.
 */
export function addSkellamNoise(
  target: Uint32Array,
  from: number,
  to: number,
  variance: number,
  words: RandomWords,
): void {
  const lanes = lanesOf(target, from, to, { variance, largest: LARGEST_NOISE_VARIANCE });
  if (variance === 0 || lanes.length === 0) return;
  const draws = Math.ceil(variance / (lanes.length < MANY_LANES ? NARROW_TABLE : WIDE_TABLE));
  const table = cached(`${variance}/${draws}`, () => skellamTable(exactly(variance, draws)));
  addDrawsInPlace(lanes, { draws, step: 1 }, table, words);
}

/** The lanes that noise is added to. @throws {UsageError} for a range that is none, or a variance that cannot be drawn. */
export function lanesOf(
  target: Uint32Array,
  from: number,
  to: number,
  { variance, largest }: { readonly variance: number; readonly largest: number },
): Uint32Array {
  if (!(variance >= 0 && variance <= largest))
    throw new UsageError(`a noise variance of ${variance}; 0 to 2^${Math.log2(largest)} is allowed`);
  const whole = Number.isInteger(from) && Number.isInteger(to);
  if (!(whole && from >= 0 && from <= to && to <= target.length))
    throw new UsageError(`lanes ${from} to ${to} are no range of ${target.length} lanes`);
  return target.subarray(from, to);
}
