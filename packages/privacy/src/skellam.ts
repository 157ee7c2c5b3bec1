import { UsageError, type RandomWords } from '@tutti/base';
import { skellamTable, type ExactVariance, type SkellamTable } from './skellam-table.ts';

/** Largest variance of one lane's noise: beyond it a draw would be a sum of thousands. */
export const LARGEST_NOISE_VARIANCE = 2 ** 40;

/** Variances that one table is made for: larger noise is the sum of independent draws, which is exactly Skellam again. */
const WIDE_TABLE = 2 ** 28;
const NARROW_TABLE = 2 ** 24;

/** Fewer lanes than this do not repay a wide table. */
const MANY_LANES = 4_096;

/** Tables kept: a device meets two variances, a simulation a few. The one made first goes first. */
const MOST_TABLES = 8;
const tables = new Map<string, SkellamTable>();

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
  if (!(variance >= 0 && variance <= LARGEST_NOISE_VARIANCE))
    throw new UsageError(`a noise variance of ${variance}; 0 to 2^40 is allowed`);
  const whole = Number.isInteger(from) && Number.isInteger(to);
  if (!(whole && from >= 0 && from <= to && to <= target.length))
    throw new UsageError(`lanes ${from} to ${to} are no range of ${target.length} lanes`);
  if (variance === 0 || from === to) return;
  const draws = Math.ceil(variance / (to - from < MANY_LANES ? NARROW_TABLE : WIDE_TABLE));
  addDrawsInPlace(target.subarray(from, to), draws, tableFor(variance, draws), words);
}

/** The law of one of `draws` equal parts of the variance. */
function tableFor(variance: number, draws: number): SkellamTable {
  const name = `${variance}/${draws}`;
  const known = tables.get(name);
  if (known !== undefined) return known;
  const made = skellamTable(exactly(variance, draws));
  const [oldest] = tables.keys();
  if (tables.size >= MOST_TABLES && oldest !== undefined) tables.delete(oldest);
  tables.set(name, made);
  return made;
}

/** variance / draws without rounding: a float64 is an integer over a power of two. */
export function exactly(variance: number, draws = 1): ExactVariance {
  let [numerator, denominator] = [variance, BigInt(draws)];
  while (!Number.isInteger(numerator)) {
    numerator *= 2;
    denominator *= 2n;
  }
  return { numerator: BigInt(numerator), denominator };
}

/**
 * The hot loop. A draw is the first i with U < threshold(i), where U has 96 bits of which the last 64 are drawn only where
 * the first 32 tie, once in billions; its sign is one bit of a word that serves 32 draws (that of 0 is without effect).
 */
function addDrawsInPlace(lanes: Uint32Array, draws: number, table: SkellamTable, words: RandomWords): void {
  const { high, guide, guideShift } = table;
  let signs = 0;
  let signsLeft = 0;
  for (let lane = 0; lane < lanes.length; lane++) {
    let noise = 0;
    for (let draw = 0; draw < draws; draw++) {
      if (signsLeft === 0) [signs, signsLeft] = [words.uint32(), 32];
      const word = words.uint32();
      let i = guide[word >>> guideShift] as number;
      while ((high[i] as number) < word) i++;
      if (high[i] === word) i = breakTie(table, i, word, words);
      // 1 or −1 from the lowest bit, without a branch that half of all draws would mispredict.
      noise += i * (1 - ((signs & 1) << 1));
      signs >>>= 1;
      signsLeft--;
    }
    lanes[lane] = (lanes[lane] as number) + noise;
  }
}

/** The first index from `i` on whose threshold is above the number that begins with `word`. */
function breakTie({ high, middle, low }: SkellamTable, i: number, word: number, words: RandomWords): number {
  const last = high.length - 1;
  const next = words.uint32();
  const final = words.uint32();
  const above = (at: number): boolean => {
    if (high[at] !== word) return (high[at] as number) > word;
    if (middle[at] !== next) return (middle[at] as number) > next;
    return (low[at] as number) > final;
  };
  while (i < last && !above(i)) i++;
  return i;
}
