import { UsageError } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bandedCoefficients,
  correlatedSensitivity,
  prefixError,
  type CorrelatedNoise,
  type Participation,
} from './correlated.ts';

const tree = (steps: number): CorrelatedNoise => ({ mechanism: 'tree', steps });
const banded = (steps: number, ...coefficients: number[]): CorrelatedNoise => ({
  mechanism: 'banded',
  steps,
  coefficients,
});
const once: Participation = { most: 1, separation: 1 };

/** Every set of rounds that one user can take part in. */
function patterns(rounds: number, { most, separation }: Participation): number[][] {
  const from = (first: number, left: number): number[][] =>
    left === 0
      ? [[]]
      : [
          [],
          ...Array.from({ length: Math.max(0, rounds - first) }, (_, i) => first + i).flatMap((at) =>
            from(at + separation, left - 1).map((rest) => [at, ...rest]),
          ),
        ];
  return from(0, most);
}

/** What each draw measures of the rounds, as a dense matrix with a row a draw: the definition, without any cleverness. */
function strategyMatrix(noise: CorrelatedNoise, rounds: number): number[][] {
  const rows: number[][] = [];
  for (let start = 0; start < rounds; start += noise.steps) {
    const length = Math.min(noise.steps, rounds - start);
    const row = (fill: (i: number) => number): void => {
      rows.push(
        Array.from({ length: rounds }, (_, i) => (i < start || i >= start + length ? 0 : fill(i - start))),
      );
    };
    if (noise.mechanism === 'tree')
      for (let size = 1; size <= length; size *= 2)
        for (let at = 0; at + size <= length; at += size) row((i) => (i >= at && i < at + size ? 1 : 0));
    else
      for (let t = 0; t < length; t++)
        row((i) => (i <= t ? (noise.coefficients[t - i] ?? 0) / (noise.coefficients[0] as number) : 0));
  }
  return rows;
}

/** Largest ‖C·u‖ over all patterns u, of which the non-negative are the worst. */
function bruteSensitivity(noise: CorrelatedNoise, rounds: number, participation: Participation): number {
  const matrix = strategyMatrix(noise, rounds);
  return Math.max(
    ...patterns(rounds, participation).map((pattern) =>
      Math.hypot(...matrix.map((row) => pattern.reduce((sum, at) => sum + (row[at] as number), 0))),
    ),
  );
}

const participations = fc.record({
  most: fc.integer({ min: 1, max: 4 }),
  separation: fc.integer({ min: 1, max: 5 }),
});
const falling = fc
  .array(fc.integer({ min: 0, max: 64 }), { minLength: 1, maxLength: 6 })
  .map((values) => values.sort((a, b) => b - a))
  .filter(([first]) => (first as number) > 0);

describe('the sensitivity', () => {
  it('of a tree in which each user takes part once is √depth, and k trees add up', () => {
    expect(correlatedSensitivity(tree(1600), 1600, once) ** 2).toBeCloseTo(11, 12);
    expect(correlatedSensitivity(tree(1600), 1024, once) ** 2).toBeCloseTo(11, 12);
    expect(correlatedSensitivity(tree(1600), 1023, once) ** 2).toBeCloseTo(10, 12);
    const oneATree = { most: 3, separation: 64 };
    expect(correlatedSensitivity(tree(64), 64 * 3, oneATree) ** 2).toBeCloseTo(3 * 7, 12);
    expect(correlatedSensitivity(tree(64), 64 * 9, oneATree) ** 2).toBeCloseTo(3 * 7, 12);
  });

  it('of one band is √participations: independent noise', () => {
    expect(correlatedSensitivity(banded(100, 64), 100, { most: 5, separation: 3 }) ** 2).toBeCloseTo(5, 12);
  });

  it('of bands that no two parts share is √k times the norm of a column', () => {
    const noise = banded(40, 64, 32, 24);
    const norm = Math.hypot(1, 32 / 64, 24 / 64);
    expect(correlatedSensitivity(noise, 40, { most: 4, separation: 3 })).toBeCloseTo(2 * norm, 12);
  });

  it('is never below the worst pattern of a tree, tried one by one, and exact for one part (property)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 12 }),
        participations,
        (steps, rounds, parts) => {
          const bound = correlatedSensitivity(tree(steps), rounds, parts);
          const worst = bruteSensitivity(tree(steps), rounds, parts);
          expect(bound).toBeGreaterThanOrEqual(worst - 1e-12);
          if (parts.most === 1) expect(bound).toBeCloseTo(worst, 12);
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });

  it('is never below the worst pattern of a banded matrix, and exact within one run (property)', () => {
    fc.assert(
      fc.property(
        falling,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 12 }),
        participations,
        (k, steps, rounds, parts) => {
          const noise = banded(steps, ...k);
          const bound = correlatedSensitivity(noise, rounds, parts);
          const worst = bruteSensitivity(noise, rounds, parts);
          expect(bound).toBeGreaterThanOrEqual(worst - 1e-12);
          if (rounds <= steps) expect(bound).toBeCloseTo(worst, 12);
        },
      ),
      { numRuns: 300, seed: 4 },
    );
  });

  it.each<[string, () => unknown]>([
    ['no steps', () => correlatedSensitivity(tree(0), 1, once)],
    ['no coefficients', () => correlatedSensitivity(banded(4), 1, once)],
    ['rising coefficients', () => correlatedSensitivity(banded(4, 2, 3), 1, once)],
    ['a fraction', () => correlatedSensitivity(banded(4, 1.5), 1, once)],
    ['a negative coefficient', () => correlatedSensitivity(banded(4, 1, -1), 1, once)],
    ['a first coefficient of 0', () => correlatedSensitivity(banded(4, 0), 1, once)],
    ['a first coefficient above 1024', () => correlatedSensitivity(banded(4, 1025), 1, once)],
    ['no rounds', () => correlatedSensitivity(tree(4), 0, once)],
    ['no participation', () => correlatedSensitivity(tree(4), 1, { most: 0, separation: 1 })],
    ['no separation', () => correlatedSensitivity(tree(4), 1, { most: 1, separation: 0 })],
    ['no bands', () => bandedCoefficients(4, once, 0)],
  ])('refuses %s', (_, call) => {
    expect(call).toThrow(UsageError);
  });
});

describe('the error of prefix sums', () => {
  it('is what the matrices say: sensitivity · ‖A·C⁻¹‖ / √rounds, C inverted by substitution', () => {
    const [rounds, noise] = [12, banded(12, 64, 32, 24, 20)];
    const c = (i: number): number => (noise.mechanism === 'banded' ? (noise.coefficients[i] ?? 0) / 64 : 0);
    const inverse: number[] = [];
    for (let t = 0; t < rounds; t++)
      inverse.push((t === 0 ? 1 : 0) - inverse.reduce((sum, value, i) => sum + value * c(t - i), 0));
    let squares = 0;
    for (let t = 0; t < rounds; t++)
      for (let s = 0; s <= t; s++)
        squares += inverse.slice(0, t - s + 1).reduce((sum, value) => sum + value, 0) ** 2;
    const expected = correlatedSensitivity(noise, rounds, once) * Math.sqrt(squares / rounds);
    expect(prefixError(noise, rounds, once)).toBeCloseTo(expected, 10);
  });

  it('of independent noise is √(k·(rounds + 1)/2)', () => {
    expect(prefixError(banded(50, 1), 50, { most: 5, separation: 10 })).toBeCloseTo(
      Math.sqrt((5 * 51) / 2),
      10,
    );
  });

  it('counts restarts: what a run ends with stays in every later sum', () => {
    // Two runs of one round each: 1, then 1 + 1.
    expect(prefixError(banded(1, 1), 2, once)).toBeCloseTo(Math.sqrt(1.5), 12);
  });

  it('is least for the square root, then for the tree, where each user takes part once', () => {
    const steps = 256;
    const root: CorrelatedNoise = {
      mechanism: 'banded',
      steps,
      coefficients: bandedCoefficients(steps, once),
    };
    const errors = [root, tree(steps), banded(steps, 1)].map((noise) => prefixError(noise, steps, once));
    expect(errors[0]).toBeLessThan((errors[1] as number) / 2);
    expect(errors[1]).toBeLessThan(errors[2] as number);
    // Whole 64ths and 128 bands stay within 5 % of the full square root, ‖A^½‖ column by column.
    const column = Array.from({ length: steps }, (_, i) => i).reduce<number[]>(
      (values, i) => [...values, i === 0 ? 1 : ((values[i - 1] as number) * (2 * i - 1)) / (2 * i)],
      [],
    );
    const squares = column.map((value) => value * value);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const full = Math.sqrt(sum(squares) * (sum(squares.map((value, i) => value * (steps - i))) / steps));
    expect(errors[0]).toBeLessThan(1.05 * full);
    expect(errors[0]).toBeGreaterThan(0.95 * full);
  });
});

describe('the coefficients', () => {
  it('are 1, 1/2, 3/8, 5/16, 35/128 in whole 64ths', () => {
    expect(bandedCoefficients(100, once, 5)).toEqual([64, 32, 24, 20, 18]);
  });

  it('are one band where a user is in every round, and more the rarer users are', () => {
    const bands = [
      { most: 64, separation: 1 },
      { most: 8, separation: 8 },
      { most: 1, separation: 64 },
    ].map((participation) => bandedCoefficients(64, participation).length);
    expect(bands[0]).toBeLessThanOrEqual(2);
    expect(bands[1]).toBeGreaterThan(bands[0] as number);
    expect(bands[2]).toBeGreaterThan(bands[1] as number);
  });

  it('never rise, so that nothing grows without bound (Eneström–Kakeya)', () => {
    const coefficients = bandedCoefficients(1_000, once);
    expect(coefficients.every((value, i) => value <= (coefficients[i - 1] ?? 64))).toBe(true);
  });
});
