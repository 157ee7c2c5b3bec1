import { UsageError } from '@tutti/base';
import type { Ranking, RankOptions } from './types.ts';

/** @throws {UsageError} for a list length that is none. */
export function checkRankOptions({ k }: RankOptions): void {
  if (!(Number.isInteger(k) && k >= 0)) throw new UsageError(`k is ${k}; a whole number from 0 is needed`);
}

/**
 * The `k` best of `scores` outside `exclude`, best first; of equal scores the first item. A score that is not a number
 * ranks last.
 */
export function bestOf(scores: Float32Array, options: RankOptions): Ranking {
  checkRankOptions(options);
  const left = new Set(options.exclude);
  const valueOf = (item: number): number => {
    const score = scores[item] as number;
    return Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score;
  };
  const items: number[] = [];
  let worst = Number.NEGATIVE_INFINITY;
  for (let item = 0; item < scores.length; item++) {
    const score = valueOf(item);
    if (items.length === options.k && !(score > worst)) continue;
    if (options.k === 0 || left.has(item)) continue;
    items.splice(placeOf(items, score, valueOf), 0, item);
    if (items.length > options.k) items.pop();
    worst = valueOf(items.at(-1) as number);
  }
  return {
    items: Int32Array.from(items),
    scores: Float32Array.from(items, (item) => scores[item] as number),
  };
}

/** Where `score` belongs in a list of falling scores: behind its equals. */
function placeOf(items: readonly number[], score: number, valueOf: (item: number) => number): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (valueOf(items[middle] as number) >= score) low = middle + 1;
    else high = middle;
  }
  return low;
}
