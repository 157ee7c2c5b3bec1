/**
 * Ranking metrics of one held-out item, by its rank from 0. With one relevant item recall equals the hit rate and
 * precision is a k-th of it; they are printed because people look for them.
 */

/** 1 where the item is among the first k, else 0 (Deshpande & Karypis 2004). */
export function hitRate(rank: number, k: number): number {
  return rank < k ? 1 : 0;
}

/** log 2 / log(rank + 2) where the item is among the first k, else 0: DCG over the ideal DCG, which is 1 here. */
export function ndcg(rank: number, k: number): number {
  return rank < k ? Math.LN2 / Math.log(rank + 2) : 0;
}

/** Found share of the relevant items among the first k; one item is relevant. */
export function recall(rank: number, k: number): number {
  return hitRate(rank, k);
}

/** Relevant share of the first k. */
export function precision(rank: number, k: number): number {
  return hitRate(rank, k) / k;
}

/** 1 / (rank + 1), over the whole list (Voorhees 1999). */
export function mrr(rank: number): number {
  return 1 / (rank + 1);
}

/**
 * Rank, from 0, of `positive` among itself and `negatives`. Ties count against it, so a constant model ranks it last;
 * a negative that repeats it is dropped; a score that is not a number counts against it.
 *
 * @param scores one for every item; not modified.
 */
export function rankHeldOut(candidates: { scores: Float32Array; positive: number; negatives: Int32Array }): number {
  const { scores, positive, negatives } = candidates;
  const own = scores[positive] as number;
  let rank = 0;
  for (const negative of negatives) if (negative !== positive && !((scores[negative] as number) < own)) rank++;
  return rank;
}

/** Rank, from 0, of `positive` among every item but those of `exclude` (a person's training items). Ties as above. */
export function rankFull(candidates: { scores: Float32Array; positive: number; exclude: Int32Array }): number {
  const { scores, positive, exclude } = candidates;
  const own = scores[positive] as number;
  let rank = 0;
  for (let item = 0; item < scores.length; item++) if (!((scores[item] as number) < own)) rank++;
  for (const item of exclude) if (item !== positive && !((scores[item] as number) < own)) rank--;
  return rank - 1;
}

/** The `k` items of highest score that are not in `exclude`, best first; equal scores by item number. */
export function topItems(scores: Float32Array, k: number, exclude: ReadonlySet<number>): number[] {
  const best: number[] = [];
  for (let item = 0; item < scores.length; item++) {
    const score = scores[item] as number;
    if (exclude.has(item) || Number.isNaN(score)) continue;
    if (best.length === k && !(score > (scores[best[k - 1] as number] as number))) continue;
    let at = best.length;
    while (at > 0 && score > (scores[best[at - 1] as number] as number)) at--;
    best.splice(at, 0, item);
    if (best.length > k) best.pop();
  }
  return best;
}
