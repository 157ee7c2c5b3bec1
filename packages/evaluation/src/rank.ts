import { UsageError } from '@tutti/base';

/**
 * Rank, from 0, of one score among `scores`: how many of the others are not below it. Ties count against it, and so
 * does what is not a number on either side, so a constant or broken model ranks it last.
 *
 * @param scores of the candidates; not modified.
 * @param positive place of the held-out item in `scores`.
 * @throws {UsageError} if there is no such place.
 */
export function rankOf(scores: Float32Array, positive: number): number {
  const own = scoreOf(scores, positive);
  let notBelow = 0;
  for (const score of scores) if (!(score < own)) notBelow++;
  return notBelow - 1; // it is not below itself
}

/** The candidates that {@link rankHeldOut} ranks. */
export interface Candidates {
  /** One for every item; not modified. */
  readonly scores: Float32Array;
  /** The held-out item. */
  readonly positive: number;
  /** Items it is ranked among. */
  readonly negatives: Int32Array;
}

/**
 * Rank, from 0, of the held-out item among itself and `negatives`, ties as in {@link rankOf}. A negative that repeats it
 * is dropped, as the evaluator of He et al. does: 156 people of MovieLens 1M rank 98 others, not 99. A negative without a score
 * counts against it.
 * @throws {UsageError} if the held-out item has no score.
 */
export function rankHeldOut({ scores, positive, negatives }: Candidates): number {
  const own = scoreOf(scores, positive);
  let rank = 0;
  for (const item of negatives) if (item !== positive && !((scores[item] as number) < own)) rank++;
  return rank;
}

/** What {@link rankFull} ranks: every item but a person's training items. */
export interface AllItems {
  /** One for every item; not modified. */
  readonly scores: Float32Array;
  /** The held-out item; ranked even where `exclude` names it. */
  readonly positive: number;
  /** Items left out: what the person trained on. */
  readonly exclude: Int32Array;
}

/**
 * Rank, from 0, of the held-out item among every item outside `exclude`, ties as in {@link rankOf}.
 * @throws {UsageError} if the held-out item has no score.
 */
export function rankFull({ scores, positive, exclude }: AllItems): number {
  const own = scoreOf(scores, positive);
  const left = new Uint8Array(scores.length);
  for (const item of exclude) left[item] = 1;
  left[positive] = 1;
  let rank = 0;
  for (let item = 0; item < scores.length; item++) {
    if (left[item] === 0 && !((scores[item] as number) < own)) rank++;
  }
  return rank;
}

/**
 * The `k` items of highest score outside `exclude`, best first; of equal scores the lower item number first. Fewer where
 * there are fewer. What is not a number is never listed.
 */
export function topItems(scores: Float32Array, k: number, exclude: ReadonlySet<number>): number[] {
  const best: number[] = [];
  for (let item = 0; item < scores.length; item++) {
    const score = scores[item] as number;
    if (Number.isNaN(score)) continue;
    if (best.length === k && !(score > (scores[best[k - 1] as number] as number))) continue;
    if (exclude.has(item)) continue;
    let at = best.length;
    while (at > 0 && score > (scores[best[at - 1] as number] as number)) at--;
    best.splice(at, 0, item);
    if (best.length > k) best.pop();
  }
  return best;
}

function scoreOf(scores: Float32Array, positive: number): number {
  const own = scores[positive];
  if (own === undefined) {
    throw new UsageError(
      `the held-out item is ${positive}; there are scores for items 0 to ${scores.length - 1}`,
    );
  }
  return own;
}
