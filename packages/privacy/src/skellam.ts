import { UsageError, type RandomWords } from '@tutti/base';

/**
 * Skellam noise: the difference of two Poisson counts. It is closed under addition, so the sum over any set of survivors
 * has an exact law (Agarwal, Kairouz, Liu 2021). Sampled from integer tables of 96-bit thresholds, never from floats.
 */

/** Bits of a threshold. */
const BITS = 96n;
const ONE = 1n << BITS;

/** Largest variance of one table: larger noise is the sum of independent draws, which is exact. */
const LARGEST_TABLE_VARIANCE = 4_096;

/** Extra bits in the computation of the table, so that rounding stays below one unit of the last threshold bit. */
const GUARD = 64n;

/** A cumulative table of one Poisson law. */
interface PoissonTable {
  /** Thresholds of P[X ≤ i], as three 32-bit words, most significant first. */
  readonly high: Uint32Array;
  readonly middle: Uint32Array;
  readonly low: Uint32Array;
  /** First index to look at for each value of the top 12 bits. */
  readonly guide: Uint16Array;
}

const GUIDE_BITS = 12;
const tables = new Map<string, PoissonTable>();

/** exp(−rate) in fixed point, for rate = numerator / 2⁵²: halved until small, Taylor, then squared back. */
function expNegative(rate: bigint, rateBits: bigint, bits: bigint): bigint {
  const one = 1n << bits;
  let halvings = 0n;
  let x = (rate << bits) >> rateBits;
  while (x > one >> 8n) {
    x >>= 1n;
    halvings++;
  }
  let term = one;
  let sum = one;
  for (let k = 1n; term !== 0n; k++) {
    term = -(term * x) / (one * k);
    sum += term;
  }
  for (; halvings > 0n; halvings--) sum = (sum * sum) >> bits;
  return sum;
}

/**
 * The table of Poisson(rate). Its total variation distance from the law is below 2⁻⁸⁰: each threshold is rounded down to
 * 96 bits, and the tail beyond the table holds less than 2⁻⁹⁶.
 */
function poissonTable(rate: number): PoissonTable {
  const name = String(rate);
  const known = tables.get(name);
  if (known !== undefined) return known;
  const rateBits = 40n;
  const scaled = BigInt(Math.round(rate * 2 ** 40));
  // exp(−rate) itself can be as small as 2^(−1.45·rate): carry that many more bits so that nothing is lost.
  const bits = BITS + GUARD + BigInt(Math.ceil(1.5 * rate)) + 64n;
  let mass = expNegative(scaled, rateBits, bits);
  let cumulative = 0n;
  const thresholds: bigint[] = [];
  for (let k = 0n; ; k++) {
    cumulative += mass;
    const threshold = cumulative >> (bits - BITS);
    thresholds.push(threshold >= ONE ? ONE - 1n : threshold);
    if (k > scaled >> rateBits && mass >> (bits - BITS) === 0n) break;
    mass = (mass * scaled) / ((k + 1n) << rateBits);
  }
  const word = (shift: bigint): Uint32Array => Uint32Array.from(thresholds, (t) => Number((t >> shift) & 0xffff_ffffn));
  const high = word(64n);
  const guide = new Uint16Array(1 << GUIDE_BITS);
  let index = 0;
  for (let top = 0; top < guide.length; top++) {
    while (index < high.length - 1 && (high[index] as number) >>> (32 - GUIDE_BITS) < top) index++;
    guide[top] = index;
  }
  const table = { high, middle: word(32n), low: word(0n), guide };
  tables.set(name, table);
  return table;
}

/** One Poisson count: the first i with u < threshold(i). Lower words are drawn only where the higher ones tie. */
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
export function addSkellamNoise(target: Uint32Array, from: number, to: number, variance: number, words: RandomWords): void {
  if (!(variance >= 0 && variance <= 2 ** 40)) throw new UsageError(`a noise variance of ${variance}; 0 to 2^40 is allowed`);
  if (variance === 0) return;
  const { scale, draws, rate } = decompose(variance);
  const table = poissonTable(rate);
  for (let i = from; i < to; i++) {
    let noise = 0;
    for (let n = 0; n < draws; n++) noise += drawPoisson(table, words) - drawPoisson(table, words);
    target[i] = (target[i] as number) + scale * noise;
  }
}

/** Variance = draws · 2 · rate, with at most LARGEST_TABLE_VARIANCE a draw: sums of independent Skellams are Skellam. */
function decompose(variance: number): { scale: 1; draws: number; rate: number } {
  const draws = Math.max(1, Math.ceil(variance / LARGEST_TABLE_VARIANCE));
  return { scale: 1, draws, rate: variance / draws / 2 };
}
