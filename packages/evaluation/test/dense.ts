import { seededRandom } from '@tutti/base';
import type { TrainingRows } from '../src/references/recommender.ts';
import { trainOf } from './published.ts';

/** Slow and readable linear algebra, for tests: square matrices as lists of rows. */

/** The inverse by Gauss–Jordan elimination with pivoting: another way than any that is tested. */
export function inverseOf(matrix: readonly (readonly number[])[]): number[][] {
  const n = matrix.length;
  const work = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k; i < n; i++) if (Math.abs(work[i]![k]!) > Math.abs(work[best]![k]!)) best = i;
    [work[k], work[best]] = [work[best]!, work[k]!];
    const pivot = work[k]![k]!;
    work[k] = work[k]!.map((value) => value / pivot);
    for (let i = 0; i < n; i++) {
      const factor = work[i]![k]!;
      if (i !== k && factor !== 0) work[i] = work[i]!.map((value, j) => value - factor * work[k]![j]!);
    }
  }
  return work.map((row) => row.slice(n));
}

/** A random symmetric matrix, positive definite by construction: GᵀG + I. */
export function positiveDefinite(n: number, seed: string): number[][] {
  const random = seededRandom(seed);
  const g = Array.from({ length: n }, () => Array.from({ length: n }, () => random.normal()));
  return g.map((_, i) =>
    g.map((_row, j) => g.reduce((sum, row) => sum + row[i]! * row[j]!, i === j ? 1 : 0)),
  );
}

/** People × items of zeros and ones. */
export function denseOf(train: TrainingRows): number[][] {
  return Array.from({ length: train.users }, (_, user) => {
    const row = new Array<number>(train.items).fill(0);
    for (const item of train.values.subarray(train.offsets[user], train.offsets[user + 1])) row[item] = 1;
    return row;
  });
}

/** People with random items, the first of which are popular; one person and one item have nothing. */
export function randomRows(users: number, items: number, seed: string): TrainingRows {
  const random = seededRandom(seed);
  const rows = Array.from({ length: users }, (_, user) =>
    Array.from({ length: items - 1 }, (_, item) => item).filter(
      (item) => user > 0 && random.float() < 4 / (item + 5),
    ),
  );
  return trainOf(rows, items);
}
