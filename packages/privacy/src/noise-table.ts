import { fillWords, wipe, type RandomWords } from '@tutti/base';

/**
 * The integer table that a symmetric law on the integers is drawn from: thresholds of P[|X| ≤ i], 96 bits each.
 */
export interface NoiseTable {
  /** Thresholds of P[|X| ≤ i] in units of 2⁻⁹⁶, as three 32-bit words, most significant first. The last one stands for 1. */
  readonly high: Uint32Array;
  readonly middle: Uint32Array;
  readonly low: Uint32Array;
  /** For each value of a word's top bits, the first i whose threshold is not below it. */
  readonly guide: Uint32Array;
  /** 32 less the bits that index the guide. */
  readonly guideShift: number;
  /** Total variation distance of a draw from its law is at most this. */
  readonly errorBound: number;
}

/** A variance as an exact fraction of integers. */
export interface ExactVariance {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** variance / parts without rounding: a float64 is an integer over a power of two. */
export function exactly(variance: number, parts = 1): ExactVariance {
  let [numerator, denominator] = [variance, BigInt(parts)];
  while (!Number.isInteger(numerator)) {
    numerator *= 2;
    denominator *= 2n;
  }
  return { numerator: BigInt(numerator), denominator };
}

/** Bits of a threshold, and the largest: 1 itself would not fit, where a law has no more than this to give. */
const BITS = 96n;
const LARGEST = (1n << BITS) - 1n;

const MOST_GUIDE_BITS = 16;

/** What a table loses by flooring its thresholds: 2⁻⁹⁶ an entry. */
export const flooringError = (entries: number): number => entries * 2 ** -96;

/**
 * A table of `entries` thresholds.
 * @param weights integers proportional to P[X = 0], P[X = 1] …; those beyond the entries still count in the whole.
 */
export function tableOf(weights: readonly bigint[], entries: number, errorBound: number): NoiseTable {
  const thresholds = thresholdsOf(weights, entries);
  return { ...thresholds, ...guideOf(thresholds.high), errorBound };
}

/** Cumulative weights of |X| over their whole sum, in units of 2⁻⁹⁶, rounded down. */
function thresholdsOf(
  weights: readonly bigint[],
  entries: number,
): Pick<NoiseTable, 'high' | 'middle' | 'low'> {
  const middle0 = weights[0] ?? 0n;
  const total = weights.reduce((sum, weight) => sum + 2n * weight, -middle0);
  const high = new Uint32Array(entries);
  const middle = new Uint32Array(entries);
  const low = new Uint32Array(entries);
  let cumulative = -middle0;
  for (let i = 0; i < entries - 1; i++) {
    cumulative += 2n * (weights[i] as bigint);
    const exact = (cumulative << BITS) / total;
    const threshold = exact > LARGEST ? LARGEST : exact;
    high[i] = Number(threshold >> 64n);
    middle[i] = Number(BigInt.asUintN(32, threshold >> 32n));
    low[i] = Number(BigInt.asUintN(32, threshold));
  }
  for (const words of [high, middle, low]) words[entries - 1] = 0xffff_ffff;
  return { high, middle, low };
}

function guideOf(high: Uint32Array): Pick<NoiseTable, 'guide' | 'guideShift'> {
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

/**
 * The hot loop: adds `step` times the sum of `draws` independent draws to every lane, modulo 2³².
 *
 * A draw is the first i with U < threshold(i), where U has 96 bits of which the last 64 are drawn only where the first 32
 * tie, once in billions; its sign is one bit of a word that serves 32 draws (that of 0 is without effect).
 */
export function addDrawsInPlace(
  lanes: Uint32Array,
  { draws, step }: { readonly draws: number; readonly step: number },
  table: NoiseTable,
  words: RandomWords,
): void {
  const { high, guide, guideShift } = table;
  const block = new Uint32Array(
    Math.min(BLOCK_WORDS, lanes.length * draws + Math.ceil((lanes.length * draws) / 32)),
  );
  let at = block.length;
  const next = (): number => {
    if (at === block.length) {
      fillWords(words, block);
      at = 0;
    }
    return block[at++] as number;
  };
  let signs = 0;
  let signsLeft = 0;
  for (let lane = 0; lane < lanes.length; lane++) {
    let noise = 0;
    for (let draw = 0; draw < draws; draw++) {
      if (signsLeft === 0) [signs, signsLeft] = [next(), 32];
      const word = next();
      let i = guide[word >>> guideShift] as number;
      while ((high[i] as number) < word) i++;
      if (high[i] === word) i = breakTie(table, i, word, [next(), next()]);
      // 1 or −1 from the lowest bit, without a branch that half of all draws would mispredict.
      noise += i * (1 - ((signs & 1) << 1));
      signs >>>= 1;
      signsLeft--;
    }
    lanes[lane] = (lanes[lane] as number) + step * noise;
  }
  wipe(block);
}

/** Words that are drawn at once. */
const BLOCK_WORDS = 4_096;

/** The first index from `i` on whose threshold is above the number that begins with `word` and goes on with `rest`. */
function breakTie(
  { high, middle, low }: NoiseTable,
  i: number,
  word: number,
  [next, final]: readonly [number, number],
): number {
  const last = high.length - 1;
  const above = (at: number): boolean => {
    if (high[at] !== word) return (high[at] as number) > word;
    if (middle[at] !== next) return (middle[at] as number) > next;
    return (low[at] as number) > final;
  };
  while (i < last && !above(i)) i++;
  return i;
}

/** Tables kept: a device meets two or three variances, a simulation a few. */
const MOST_TABLES = 8;

/** Keeps the tables made last: making one takes up to a second. The one made first goes first. */
export function tableCache(): (name: string, make: () => NoiseTable) => NoiseTable {
  const tables = new Map<string, NoiseTable>();
  return (name, make) => {
    const known = tables.get(name);
    if (known !== undefined) return known;
    const made = make();
    const [oldest] = tables.keys();
    if (tables.size >= MOST_TABLES && oldest !== undefined) tables.delete(oldest);
    tables.set(name, made);
    return made;
  };
}
