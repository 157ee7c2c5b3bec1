import { seededRandom, UsageError, type RandomWords } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addSkellamNoise } from './index.ts';
import { exactly, type NoiseTable } from './noise-table.ts';
import { skellamTable } from './skellam-table.ts';

/** A threshold of a table in units of 2⁻⁹⁶. */
const threshold = ({ high, middle, low }: NoiseTable, i: number): bigint =>
  (BigInt(high[i] as number) << 64n) | (BigInt(middle[i] as number) << 32n) | BigInt(low[i] as number);

/** Reference: e^µ and I_k(µ) from their power series in fixed point, µ = numerator / denominator. */
function series(numerator: bigint, denominator: bigint, bits: bigint) {
  const exp = (): bigint => {
    let [term, sum] = [1n << bits, 1n << bits];
    for (let n = 1n; term > 0n; n++) sum += term = (term * numerator) / (n * denominator);
    return sum;
  };
  const bessel = (k: bigint): bigint => {
    let term = 1n << bits;
    for (let n = 1n; n <= k; n++) term = (term * numerator) / (2n * n * denominator);
    let sum = term;
    for (let j = 1n; term > 0n; j++)
      sum += term = (term * numerator * numerator) / (4n * j * (j + k) * denominator * denominator);
    return sum;
  };
  return { exp: exp(), bessel };
}

describe('the table', () => {
  it.each([
    [1n, 2n],
    [9n, 1n],
    [301n, 3n],
  ])(
    'holds P[|X| ≤ i] of variance %d/%d to one unit of 2⁻⁹⁶, against the power series',
    (numerator, denominator) => {
      const table = skellamTable({ numerator, denominator });
      const { exp, bessel } = series(numerator, denominator, 600n);
      let cumulative = -bessel(0n);
      for (let i = 0; i < table.high.length - 1; i++) {
        cumulative += 2n * bessel(BigInt(i));
        const off = threshold(table, i) - (cumulative << 96n) / exp;
        expect(off >= -1n && off <= 1n).toBe(true);
      }
      const beyond = Number((1n << 96n) - (cumulative << 96n) / exp) / 2 ** 96;
      expect(beyond).toBeLessThan(2 ** -94); // what the last entry stands for
    },
  );

  it.each([0, 1, 7, 50, 200, 400])('holds P[|X| = k] of variance 2500 to two units of 2⁻⁹⁶, k = %d', (k) => {
    const table = skellamTable({ numerator: 2500n, denominator: 1n });
    const { exp, bessel } = series(2500n, 1n, 4_000n);
    const exact = (((k === 0 ? 1n : 2n) * bessel(BigInt(k))) << 96n) / exp;
    const off = threshold(table, k) - (k === 0 ? 0n : threshold(table, k - 1)) - exact;
    expect(off >= -2n && off <= 2n).toBe(true);
  });

  it.each([0.01, 3.75, 65_536, 2 ** 24 - 0.5])(
    'of variance %d has that variance and fourth cumulant',
    (variance) => {
      const table = skellamTable(exactly(variance));
      let [second, fourth] = [0, 0];
      for (let i = 1; i < table.high.length; i++) {
        const p = Number(threshold(table, i) - threshold(table, i - 1)) / 2 ** 96;
        second += i ** 2 * p;
        fourth += i ** 4 * p;
      }
      // Every even cumulant of Skellam(µ) is µ: E X⁴ = 3µ² + µ.
      expect(Math.abs(second / variance - 1)).toBeLessThan(1e-12);
      expect(Math.abs(fourth / (3 * variance ** 2 + variance) - 1)).toBeLessThan(1e-11);
    },
  );

  it.each([2 ** -30, 1, 2 ** 20, 2 ** 26])('of variance %d tells an error bound below 2⁻⁷⁸', (variance) => {
    const table = skellamTable(exactly(variance));
    expect(table.errorBound).toBeLessThan(2 ** -78);
    expect(table.errorBound).toBeGreaterThan(table.high.length * 2 ** -97);
  });

  it('takes a variance for the fraction that it is', () => {
    expect(exactly(0.375, 3)).toEqual({ numerator: 3n, denominator: 24n });
    const { numerator, denominator } = exactly(0.1);
    expect(denominator).toBe(2n ** 55n); // the float64 nearest to 0.1 is 3602879701896397 / 2⁵⁵
    expect(numerator).toBe(3602879701896397n);
  });
});

/** The sampler as a reader would write it: 96 bits, one threshold after the other. */
function slowDraw(table: NoiseTable, word: number, words: RandomWords): number {
  const tie = table.high.includes(word);
  const rest = tie ? (BigInt(words.uint32()) << 32n) | BigInt(words.uint32()) : 0n;
  const uniform = (BigInt(word) << 64n) | rest;
  for (let i = 0; i < table.high.length - 1; i++) if (uniform < threshold(table, i)) return i;
  return table.high.length - 1;
}

function slowNoise(lanes: number, variance: number, words: RandomWords): number[] {
  const table = skellamTable(exactly(variance));
  let signs = 0;
  return Array.from({ length: lanes }, (_, lane) => {
    if (lane % 32 === 0) signs = words.uint32();
    const size = slowDraw(table, words.uint32(), words);
    return Math.floor(signs / 2 ** (lane % 32)) % 2 === 1 && size > 0 ? -size : size;
  });
}

/** Words that often tie with a threshold, at each of its three levels. */
function tyingWords(table: NoiseTable, seed: number): RandomWords {
  const random = seededRandom(seed);
  const levels = [table.high, table.middle, table.low];
  return {
    uint32: () => {
      const level = levels[random.int(4)];
      return level === undefined ? random.uint32() : (level[random.int(level.length)] as number);
    },
  };
}

const signed = (lanes: Uint32Array): Int32Array => new Int32Array(lanes.buffer);

describe('the sampler', () => {
  it('equals the slow version, also where words tie with thresholds (property)', () => {
    fc.assert(
      fc.property(fc.constantFrom(0.3, 4, 77.5), fc.integer(), (variance, seed) => {
        const table = skellamTable(exactly(variance));
        const lanes = new Uint32Array(100);
        addSkellamNoise(lanes, 0, 100, variance, tyingWords(table, seed));
        expect([...signed(lanes)]).toEqual(slowNoise(100, variance, tyingWords(table, seed)));
      }),
      { numRuns: 100, seed: 5 },
    );
  });

  it.each([0.5, 9, 2_500, 65_536, 3e9])(
    'of variance %d has it within one percent over 1e5 lanes, and mean 0',
    (variance) => {
      // Relative deviation of a sample variance: √((2 + 1/µ)/n) = 0.0045 (0.0063 for µ = 0.5), so one percent is 2.2 (1.6) of
      // them, and a seed raises a false alarm with chance 3 % (11 %) for each variance, 20 % for all five. The seed is fixed, and
      // the test after this one is the sharp one. Mean: 5 deviations, 6e-7.
      // another seed would raise a false alarm in 3 % (11 %) of runs; this one is fixed. The next test is sharper. Mean: 5, 6e-7.
      const { mean, observed } = moments(100_000, variance, `lanes ${variance}`);
      expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(variance / 100_000));
      expect(Math.abs(observed / variance - 1)).toBeLessThan(0.01);
    },
  );

  it.each([9, 1_000_000])(
    'of variance %d has it within 5 deviations over 2e6 lanes (chance of a false alarm 6e-7)',
    (variance) => {
      const { observed } = moments(2_000_000, variance, `more ${variance}`);
      expect(Math.abs(observed / variance - 1)).toBeLessThan(5 * Math.sqrt((2 + 1 / variance) / 2_000_000));
    },
  );

  it('follows its law value by value: χ² of variance 4 over 1e5 lanes, 13 cells (chance of a false alarm 1e-6)', () => {
    const lanes = new Uint32Array(100_000);
    addSkellamNoise(lanes, 0, lanes.length, 4, seededRandom('law'));
    const { exp, bessel } = series(4n, 1n, 200n);
    const chance = (k: number) => Number((bessel(BigInt(Math.abs(k))) << 60n) / exp) / 2 ** 60;
    const counts = new Map<number, number>();
    for (const value of signed(lanes)) counts.set(value, (counts.get(value) ?? 0) + 1);
    let [chiSquare, seen, left] = [0, 0, 1];
    for (let k = -5; k <= 5; k++) {
      const [count, expected] = [counts.get(k) ?? 0, 1e5 * chance(k)];
      chiSquare += (count - expected) ** 2 / expected;
      seen += count;
      left -= chance(k);
    }
    chiSquare += (1e5 - seen - 1e5 * left) ** 2 / (1e5 * left);
    expect(chiSquare).toBeLessThan(49.9); // 11 degrees of freedom, with the rest as one cell: P[χ² > 49.9] < 1e-6
  });

  it('adds to what is there, modulo 2³², and leaves lanes outside the range alone', () => {
    const noise = new Uint32Array(10);
    addSkellamNoise(noise, 2, 5, 100, seededRandom(1));
    const lanes = new Uint32Array(10).fill(0xffff_ffff);
    addSkellamNoise(lanes, 2, 5, 100, seededRandom(1));
    expect([...lanes]).toEqual([...noise].map((value) => (value + 0xffff_ffff) % 2 ** 32));
    expect([...noise.subarray(0, 2), ...noise.subarray(5)]).toEqual(new Array(7).fill(0));
    expect([...noise.subarray(2, 5)]).not.toEqual([0, 0, 0]);
  });

  it('is decided by the stream', () => {
    const draw = (seed: number) => {
      const lanes = new Uint32Array(50);
      addSkellamNoise(lanes, 0, 50, 1e4, seededRandom(seed));
      return lanes;
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it('takes no words for no noise', () => {
    const random = seededRandom(3);
    addSkellamNoise(new Uint32Array(4), 0, 4, 0, random);
    addSkellamNoise(new Uint32Array(4), 2, 2, 9, random);
    expect(random.uint32()).toBe(seededRandom(3).uint32());
  });

  it.each([
    [0, 4, -1],
    [0, 4, Number.NaN],
    [0, 4, 2 ** 41],
    [-1, 4, 1],
    [0, 5, 1],
    [3, 2, 1],
    [0.5, 2, 1],
  ])('refuses lanes %d to %d of four at variance %d', (from, to, variance) => {
    expect(() => addSkellamNoise(new Uint32Array(4), from, to, variance, seededRandom(1))).toThrow(
      UsageError,
    );
  });
});

function moments(n: number, variance: number, seed: string): { mean: number; observed: number } {
  const lanes = new Uint32Array(n);
  addSkellamNoise(lanes, 0, n, variance, seededRandom(seed));
  let [sum, squares] = [0, 0];
  for (const value of signed(lanes)) {
    sum += value;
    squares += value * value;
  }
  return { mean: sum / n, observed: squares / n - (sum / n) ** 2 };
}
