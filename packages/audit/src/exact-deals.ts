import { ranksOf } from './statistics.ts';

/**
 * What an area under the curve stays within, either way of ½, for labels that say nothing: the smallest distance that is passed with a
 * chance of at most `tail` when `positives` of the scores are drawn at random. Exact, with the ties that there are, for any number of
 * scores: where labels were drawn at random before the scores came to be, nothing else about the scores matters.
 *
 * @see Lehmann, Nonparametrics, chapter 1: the rank-sum test with ties.
 */
export function dealtBound(scores: ArrayLike<number>, positives: number, tail: number): number {
  const shares = rankSumShares(scores, positives);
  const pairs = positives * (scores.length - positives);
  const least = positives * (positives + 1);
  const distances = new Map<number, number>();
  shares.forEach((share, doubled) => {
    if (share === 0) return;
    const distance = 0.5 + Math.abs((doubled - least) / (2 * pairs) - 0.5);
    distances.set(distance, (distances.get(distance) ?? 0) + share);
  });
  let above = 0;
  let bound = 1;
  for (const [distance, share] of [...distances].sort(([a], [b]) => b - a)) {
    // What is passed with a chance of `above` is the distance before this one.
    if (above > tail) break;
    bound = distance;
    above += share;
  }
  return bound;
}

/** The share of all draws of `positives` scores whose ranks add up to half the index. */
function rankSumShares(scores: ArrayLike<number>, positives: number): Float64Array {
  const doubled = Array.from(ranksOf(scores), (rank) => Math.round(2 * rank));
  const most = doubled.reduce((sum, rank) => sum + rank, 0);
  // chances[k][s]: that k of the scores so far are drawn, and that their doubled ranks add up to s.
  const chances = Array.from({ length: positives + 1 }, () => new Float64Array(most + 1));
  (chances[0] as Float64Array)[0] = 1;
  // The least and the greatest sum of each row; chances outside are 0.
  const least = new Float64Array(positives + 1).fill(Infinity, 1);
  const greatest = new Float64Array(positives + 1).fill(-Infinity, 1);
  doubled.forEach((rank, seen) => {
    for (let k = Math.min(positives, seen + 1); k >= 0; k--) {
      const row = chances[k] as Float64Array;
      const before = chances[k - 1];
      // Drawing one score after another: the next is drawn with a chance of what is still to be drawn over what is left.
      const left = doubled.length - seen;
      const skip = (left - (positives - k)) / left;
      const take = (positives - k + 1) / left;
      least[k] = Math.min(least[k] as number, (least[k - 1] ?? Infinity) + rank);
      greatest[k] = Math.max(greatest[k] as number, (greatest[k - 1] ?? -Infinity) + rank);
      for (let s = greatest[k] as number; s >= (least[k] as number); s--) {
        const taken = before === undefined || s < rank ? 0 : (before[s - rank] as number) * take;
        row[s] = (row[s] as number) * Math.max(0, skip) + taken;
      }
    }
  });
  return chances[positives] as Float64Array;
}
