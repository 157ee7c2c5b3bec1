import { UsageError, type RandomWords } from '@tutti/base';

/**
 * Skellam noise: the difference of two Poisson counts. It is closed under addition, so the sum over any set of survivors
 * has an exact law (Agarwal, Kairouz, Liu 2021). Sampled from integer tables of 96-bit thresholds, never from floats.
 */

/** Bits of a threshold. */
const BITS = 96n;
const ONE = 1n << BITS;

/** Bits that a weight is computed with: rounding of each stays far below the last bit of a threshold. */
const WORK_BITS = 192n;

/** Weights below this part of the mode's, 2⁻¹²⁸, are left out: all of them together are below 2⁻¹⁰⁰. */
const CUT_BITS = 128n;

/** Fraction bits of a Poisson rate. */
const RATE_BITS = 40n;

/** Largest variance of one table: larger noise is the sum of independent draws, which is exact. */
const LARGEST_TABLE_VARIANCE = 2 ** 24;

/** A cumulative table of one Poisson law around its mode. */
interface PoissonTable {
  /** The count that index 0 stands for. */
  readonly first: number;
  /** Thresholds of P[X ≤ first + i], as three 32-bit words, most significant first. */
  readonly high: Uint32Array;
  readonly middle: Uint32Array;
  readonly low: Uint32Array;
  /** First index to look at for each value of the top bits. */
  readonly guide: Uint32Array;
}

const GUIDE_BITS = 14;
const tables = new Map<string, PoissonTable>();

/** Tables kept: a device meets one or two variances at a time. */
const MOST_TABLES = 8;

/**
 * The table of Poisson(rate), rate to 2⁻⁴⁰. Weights follow from the mode's by w(k+1) = w(k)·rate/(k+1) and are divided by
 * their sum, so neither exponentials nor factorials are rounded. Its total variation distance from the law is below
 * entries · 2⁻⁹⁶ + 2⁻¹⁰⁰ (each threshold is rounded down to 96 bits), under 2⁻⁷⁸ for the largest table.
 */
function poissonTable(rate: number): PoissonTable {
  const name = String(rate);
  const known = tables.get(name);
  if (known !== undefined) return known;
  const made = tableOf(BigInt(Math.round(rate * 2 ** Number(RATE_BITS))));
  if (tables.size >= MOST_TABLES) tables.clear();
  tables.set(name, made);
  return made;
}

function tableOf(rate: bigint): PoissonTable {
  const mode = rate >> RATE_BITS;
  const peak = 1n << WORK_BITS;
  const least = peak >> CUT_BITS;
  const weights: bigint[] = [];
  for (let k = mode, weight = peak; k > 0n && weight > least; k--) {
    weight = ((weight * k) << RATE_BITS) / (rate === 0n ? 1n : rate);
    weights.push(weight);
  }
  weights.reverse();
  const first = Number(mode) - weights.length;
  weights.push(peak);
  for (let k = mode, weight = peak; rate > 0n && weight > least; k++) {
    weight = (weight * rate) / ((k + 1n) << RATE_BITS);
    weights.push(weight);
  }
  return { first, ...thresholdsOf(weights) };
}

function thresholdsOf(weights: readonly bigint[]): Omit<PoissonTable, 'first'> {
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  let cumulative = 0n;
  const thresholds = weights.map((weight) => {
    cumulative += weight;
    const threshold = (cumulative << BITS) / total;
    return threshold >= ONE ? ONE - 1n : threshold;
  });
  const word = (shift: bigint): Uint32Array =>
    Uint32Array.from(thresholds, (t) => Number((t >> shift) & 0xffff_ffffn));
  const high = word(64n);
  const guide = new Uint32Array(1 << GUIDE_BITS);
  let index = 0;
  for (let top = 0; top < guide.length; top++) {
    while (index < high.length - 1 && (high[index] as number) >>> (32 - GUIDE_BITS) < top) index++;
    guide[top] = index;
  }
  return { high, middle: word(32n), low: word(0n), guide };
}

/** One Poisson count less the table's first: the first i with u < threshold(i). Lower words are drawn only where the higher tie. */
function drawPoisson(table: PoissonTable, words: RandomWords): number {
  const top = words.uint32();
  const { high, middle, low } = table;
  let i = table.guide[top >>> (32 - GUIDE_BITS)] as number;
  const last = high.length - 1;
  while (i < last && (high[i] as number) < top) i++;
  if ((high[i] as number) > top || i === last) return i;
  const next = words.uint32();
  while (i < last && high[i] === top && (middle[i] as number) < next) i++;
  if ((high[i] as number) > top || (middle[i] as number) > next || i === last) return i;
  const final = words.uint32();
  while (i < last && high[i] === top && middle[i] === next && (low[i] as number) <= final) i++;
  return i;
}

/**
 * Adds Skellam noise of the given variance to target[from .. to), modulo 2³², in place.
 *
 * @param variance µ ≥ 0 of each lane, in squared ring units; the deviation is its root. Up to 2⁴⁰.
 * @param words decides every draw: cryptographic on a device, seeded in a simulation.
 */
export function addSkellamNoise(
  target: Uint32Array,
  from: number,
  to: number,
  variance: number,
  words: RandomWords,
): void {
  if (!(variance >= 0 && variance <= 2 ** 40))
    throw new UsageError(`a noise variance of ${variance}; 0 to 2^40 is allowed`);
  if (variance === 0) return;
  const { draws, rate } = decompose(variance);
  const table = poissonTable(rate);
  for (let i = from; i < to; i++) {
    let noise = 0;
    for (let n = 0; n < draws; n++) noise += drawPoisson(table, words) - drawPoisson(table, words);
    target[i] = (target[i] as number) + noise;
  }
}

/** Variance = draws · 2 · rate, with at most LARGEST_TABLE_VARIANCE a draw: sums of independent Skellams are Skellam. */
function decompose(variance: number): { draws: number; rate: number } {
  const draws = Math.max(1, Math.ceil(variance / LARGEST_TABLE_VARIANCE));
  return { draws, rate: variance / draws / 2 };
}
