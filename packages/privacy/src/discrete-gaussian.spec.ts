import { seededRandom, UsageError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { addGaussianNoise, LARGEST_GAUSSIAN_VARIANCE } from './discrete-gaussian.ts';
import { discreteGaussianTable, exponential } from './discrete-gaussian-table.ts';
import { exactly, type NoiseTable } from './noise-table.ts';

const threshold = ({ high, middle, low }: NoiseTable, i: number): bigint =>
  (BigInt(high[i] as number) << 64n) | (BigInt(middle[i] as number) << 32n) | BigInt(low[i] as number);

/** Reference: exp(−k²·d/2n) from its power series with 1,000 bits, each k on its own, and the sum over all of them. */
function weights(numerator: bigint, denominator: bigint): { at: (k: number) => bigint; total: bigint } {
  const BITS = 1_000n;
  const at = (k: number): bigint => {
    const [top, bottom] = [BigInt(k * k) * denominator, 2n * numerator];
    // e^x with all terms positive, inverted: nothing cancels.
    let [term, sum] = [1n << BITS, 1n << BITS];
    for (let n = 1n; term > 0n; n++) sum += term = (term * top) / (bottom * n);
    return (1n << (2n * BITS)) / sum;
  };
  let total = at(0);
  for (let k = 1, weight = at(1); weight > 0n && k < 400; k++) {
    total += 2n * weight;
    weight = at(k + 1);
  }
  return { at, total };
}

describe('the table', () => {
  it.each([
    [1n, 16n],
    [9n, 1n],
    [301n, 3n],
  ])(
    'holds P[|X| ≤ i] of variance %d/%d to two units of 2⁻⁹⁶, against the power series',
    (numerator, denominator) => {
      const table = discreteGaussianTable({ numerator, denominator });
      const { at, total } = weights(numerator, denominator);
      let cumulative = -at(0);
      for (let i = 0; i < table.high.length - 1; i++) {
        cumulative += 2n * at(i);
        const off = threshold(table, i) - (cumulative << 96n) / total;
        expect(off >= -2n && off <= 2n).toBe(true);
      }
      expect(Number(((total - cumulative) << 96n) / total) / 2 ** 96).toBeLessThan(2 ** -94);
    },
  );

  it.each([3.75, 65_536, 2 ** 24 - 0.5])('of variance %d has that variance and kurtosis 3', (variance) => {
    const table = discreteGaussianTable(exactly(variance));
    let [second, fourth] = [0, 0];
    for (let i = 1; i < table.high.length; i++) {
      const p = Number(threshold(table, i) - threshold(table, i - 1)) / 2 ** 96;
      second += i ** 2 * p;
      fourth += i ** 4 * p;
    }
    // The moments of N_Z are those of N to a relative e^(−2π²σ²), 1e-32 for σ² = 3.75.
    expect(Math.abs(second / variance - 1)).toBeLessThan(1e-12);
    expect(Math.abs(fourth / (3 * variance ** 2) - 1)).toBeLessThan(1e-11);
  });

  it.each([2 ** -30, 0.01, 1, 2 ** 20, 2 ** 28])(
    'of variance %d tells an error bound below 2⁻⁷⁷',
    (variance) => {
      const table = discreteGaussianTable(exactly(variance));
      expect(table.errorBound).toBeLessThan(2 ** -77);
      expect(table.errorBound).toBeGreaterThan(table.high.length * 2 ** -97);
    },
  );

  it('of a tiny variance holds 0 alone', () => {
    expect(threshold(discreteGaussianTable(exactly(2 ** -30)), 0)).toBeGreaterThan((1n << 96n) - 2n);
  });
});

describe('the fixed-point exponential', () => {
  it.each([
    [0n, 1n],
    [1n, 2n ** 60n],
    [1n, 3n],
    [7n, 2n],
    [100n, 1n],
  ])('e^−(%d/%d) is right to 2⁻³⁰⁰', (numerator, denominator) => {
    const BITS = 1_200n;
    let [term, sum] = [1n << BITS, 1n << BITS];
    for (let n = 1n; term > 0n; n++) sum += term = (term * numerator) / (denominator * n);
    const exact = (1n << (BITS + 320n)) / sum;
    const off = exponential(numerator, denominator) - exact;
    expect(off < 1n << 20n && off > -(1n << 20n)).toBe(true);
  });

  it('is 0 below e^−128', () => {
    expect(exponential(129n, 1n)).toBe(0n);
  });
});

const draw = (lanes: number, variance: number, seed: string): Int32Array => {
  const target = new Uint32Array(lanes);
  addGaussianNoise(target, 0, lanes, variance, seededRandom(seed));
  return new Int32Array(target.buffer);
};

function moments(values: Int32Array): { mean: number; variance: number; fourth: number } {
  let [sum, squares, fourth] = [0, 0, 0];
  for (const value of values) {
    sum += value;
    squares += value * value;
    fourth += value ** 4;
  }
  const n = values.length;
  return { mean: sum / n, variance: squares / n - (sum / n) ** 2, fourth: fourth / n };
}

describe('the sampler', () => {
  // Beyond 2²⁸ two draws of one table make the noise: 2³⁰ and 2⁴⁶ take that way.
  it.each([9, 2_500, 2 ** 30, 2 ** 46])(
    'of variance %d has it within five deviations over 1e6 lanes (chance of a false alarm 6e-7 each), mean 0, kurtosis 3',
    (variance) => {
      const n = 1_000_000;
      const { mean, variance: observed, fourth } = moments(draw(n, variance, `gaussian ${variance}`));
      expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(variance / n));
      expect(Math.abs(observed / variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
      // Var X⁴ = 96σ⁸.
      expect(Math.abs(fourth / (3 * variance ** 2) - 1)).toBeLessThan((5 * Math.sqrt(96 / n)) / 3);
    },
  );

  it('reaches every residue of its coarse step: χ² of x mod 16 over 1e5 lanes of variance 2³² (false alarm 1e-6)', () => {
    // σ = 2¹⁶ from a table of at most 2¹⁴: M = 4 and less divide 16, so a missing fine part would leave holes.
    const counts = new Float64Array(16);
    for (const value of draw(100_000, 2 ** 32, 'residues'))
      counts[value & 15] = (counts[value & 15] as number) + 1;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 6_250) ** 2 / 6_250, 0);
    expect(chiSquare).toBeLessThan(57); // 15 degrees of freedom: P[χ² > 57] = 8e-7
  });

  it('follows its law value by value: χ² of variance 4 over 1e5 lanes, 13 cells (false alarm 1e-6)', () => {
    const chance = (k: number): number => Math.exp(-(k * k) / 8) / Math.sqrt(8 * Math.PI); // the norm is σ√2π to 1e-33
    const counts = new Map<number, number>();
    for (const value of draw(100_000, 4, 'law')) counts.set(value, (counts.get(value) ?? 0) + 1);
    let [chiSquare, seen, left] = [0, 0, 1];
    for (let k = -5; k <= 5; k++) {
      const [count, expected] = [counts.get(k) ?? 0, 1e5 * chance(k)];
      chiSquare += (count - expected) ** 2 / expected;
      seen += count;
      left -= chance(k);
    }
    chiSquare += (1e5 - seen - 1e5 * left) ** 2 / (1e5 * left);
    expect(chiSquare).toBeLessThan(49.9); // 11 degrees of freedom
  });

  it('takes no words for no noise, and leaves lanes outside the range alone', () => {
    const random = seededRandom(3);
    addGaussianNoise(new Uint32Array(4), 0, 4, 0, random);
    expect(random.uint32()).toBe(seededRandom(3).uint32());
    const lanes = new Uint32Array(10);
    addGaussianNoise(lanes, 2, 5, 2 ** 40, random);
    expect([...lanes.subarray(0, 2), ...lanes.subarray(5)]).toEqual(new Array(7).fill(0));
    expect(lanes.subarray(2, 5).every((value) => value !== 0)).toBe(true);
  });

  it('draws the largest variance that it allows within 31 bits', () => {
    const values = draw(2_000, LARGEST_GAUSSIAN_VARIANCE, 'widest');
    const { variance } = moments(values);
    expect(Math.abs(variance / LARGEST_GAUSSIAN_VARIANCE - 1)).toBeLessThan(5 * Math.sqrt(2 / 2_000));
  });

  it.each([
    [0, 4, -1],
    [0, 4, Number.NaN],
    [0, 4, 2 ** 51],
    [0, 5, 1],
  ])('refuses lanes %d to %d of four at variance %d', (from, to, variance) => {
    expect(() => addGaussianNoise(new Uint32Array(4), from, to, variance, seededRandom(1))).toThrow(
      UsageError,
    );
  });
});
