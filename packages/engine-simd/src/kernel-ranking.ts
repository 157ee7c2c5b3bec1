import { keepLocal, type LocalOnly } from '@tutti/base';
import { checkItems, checkRankOptions, type Ranking, type RankOptions } from '@tutti/model';
import { arena } from './arena.ts';
import type { Address, Kernel } from './kernel.ts';

/** Hands scores of the items first … first + count − 1, which stand at `scores`, to the ranking. Ascending, each item once. */
export type Offer = (scores: Address, first: number, count: number) => void;

/**
 * The best of the scores that `offerAll` offers, kept in the kernel's memory from `free` on.
 * @throws {UsageError} for a `k` that is no whole number from 0, and for items outside the catalogue.
 */
export function rankInKernel(
  kernel: Kernel,
  items: number,
  options: RankOptions,
  free: Address,
  offerAll: (offer: Offer) => void,
): LocalOnly<Ranking> {
  checkRankOptions(options);
  if (options.exclude !== undefined) checkItems(options.exclude, items);
  const k = Math.min(options.k, items);
  const room = arena(free);
  const [scores, indices, excluded] = [room.take(k), room.take(k), room.take(items, 1)];
  kernel.reserve(room.end);
  kernel.bytes.fill(0, excluded, excluded + items);
  for (const item of options.exclude ?? []) kernel.bytes[excluded + item] = 1;
  if (k > 0) {
    kernel.call.openRanking(k, scores, indices, excluded);
    offerAll((at, first, count) => kernel.call.offerScores(at, first, count));
  }
  const found = k > 0 ? kernel.call.closeRanking() : 0;
  const ranking = {
    items: kernel.integers.slice(indices / 4, indices / 4 + found),
    scores: kernel.floats.slice(scores / 4, scores / 4 + found),
  };
  kernel.bytes.fill(0, free, room.end);
  return keepLocal(ranking);
}
