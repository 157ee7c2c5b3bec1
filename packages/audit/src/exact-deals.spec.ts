import { seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { dealtBound } from './exact-deals.ts';
import { auc, distance, shuffleInPlace } from './statistics.ts';

/** Every way to draw `positives` of `count`. */
function* draws(count: number, positives: number, from = 0): Generator<number[]> {
  if (positives === 0) yield [];
  else
    for (let first = from; first + positives <= count; first++)
      for (const rest of draws(count, positives - 1, first + 1)) yield [first, ...rest];
}

/** The same by trying them all. */
function slowBound(scores: readonly number[], positives: number, tail: number): number {
  const values = [...draws(scores.length, positives)].map((drawn) =>
    distance(
      auc(
        scores,
        scores.map((_, i) => (drawn.includes(i) ? 1 : 0)),
      ),
    ),
  );
  const passed = (bound: number): number =>
    values.filter((value) => value > bound + 1e-12).length / values.length;
  return Math.min(...values.filter((value) => passed(value) <= tail));
}

describe('the bound of dealt labels', () => {
  it.each([
    ['no ties', [5, 1, 4, 2, 3, 9, 7, 8], 4],
    ['ties', [1, 1, 2, 2, 2, 3, 3, 9], 4],
    ['few positives', [1, 2, 3, 4, 5, 6, 6, 6, 6], 2],
    ['one class', [2, 2, 2, 2, 2, 2], 3],
  ] as const)('is what trying every deal gives: %s', (_, scores, positives) => {
    for (const tail of [0, 0.02, 0.1, 0.3, 0.6])
      expect(dealtBound(scores, positives, tail), `tail ${tail}`).toBeCloseTo(
        slowBound(scores, positives, tail),
        12,
      );
  });

  it('of 32 and 32 scores at one in a million is near five deviations, and one class alone can never be passed', () => {
    const scores = Array.from({ length: 64 }, (_, i) => i);
    const bound = dealtBound(scores, 32, 1e-6);
    // √(65/(12·32·32)) = 0.0727: 0.5 + 4.9 of them would be 0.856; the exact tail is lighter.
    expect(bound).toBeGreaterThan(0.81);
    expect(bound).toBeLessThan(0.86);
    expect(dealtBound(new Array(64).fill(2) as number[], 32, 1e-6)).toBe(0.5);
  });

  it('is passed as often as it says: 4,000 deals at 5 % within five deviations (false alarms below 1e-6)', () => {
    const random = seededRandom('deals');
    const scores = Array.from({ length: 30 }, () => random.int(6));
    const bound = dealtBound(scores, 15, 0.05);
    const labels = scores.map((_, i) => i % 2);
    let passed = 0;
    for (let deal = 0; deal < 4_000; deal++) {
      shuffleInPlace(labels, random);
      if (distance(auc(scores, labels)) > bound + 1e-12) passed++;
    }
    // It may be less than 5 %: areas are few where scores tie.
    expect(passed).toBeLessThanOrEqual(4_000 * 0.05 + 5 * Math.sqrt(4_000 * 0.05 * 0.95));
    expect(passed).toBeGreaterThan(0);
  });
});
