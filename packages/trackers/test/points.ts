import type { Point } from '../src/index.ts';

/** Points of `count` rounds, from `first` on. */
export const pointsFrom = (first: number, count: number): Point[] =>
  Array.from({ length: count }, (_, index) => ({
    step: first + index,
    atMs: 1_790_000_000_000 + 1_500 * (first + index),
    scalars: { 'quality/hr_at_10': (first + index) / 64, 'cohort/reported': 40 + index },
  }));
