import { hitRate, mrr, ndcg, precision, rankFull, rankHeldOut, recall } from '@tutti/evaluation';
import { rowOf, type SharedHeldOut, type SharedRows } from './population.ts';
import type { Quality, QualityPair } from './report.ts';
import type { RankingSums } from './thread.ts';

/** Length of the lists that quality is measured on. */
const K = 10;

/** Order of the sums in {@link RankingSums}. */
const MEASURES: readonly ((rank: number) => number)[] = [
  (rank) => hitRate(rank, K),
  (rank) => ndcg(rank, K),
  (rank) => recall(rank, K),
  (rank) => precision(rank, K),
  mrr,
];

/** Sums over nobody yet. */
export function emptyRankingSums(): RankingSums {
  return { people: 0, sampled: MEASURES.map(() => 0), full: MEASURES.map(() => 0) };
}

/** Adds person `user`'s ranks of the held-out item: among the file's candidates, and among every item outside training. */
export function addRanks(
  sums: RankingSums,
  scores: Float32Array,
  train: SharedRows,
  heldOut: SharedHeldOut,
  user: number,
): void {
  const positive = heldOut.positives[user] as number;
  if (positive < 0) return;
  const sampled = rankHeldOut({ scores, positive, negatives: rowOf(heldOut.candidates, user) });
  const full = rankFull({ scores, positive, exclude: rowOf(train, user) });
  sums.people++;
  MEASURES.forEach((measure, index) => {
    sums.sampled[index] = (sums.sampled[index] as number) + measure(sampled);
    sums.full[index] = (sums.full[index] as number) + measure(full);
  });
}

/** Means over everybody in `parts`. Sums of fractions are added in the order of the parts. */
export function qualityOf(parts: readonly RankingSums[]): QualityPair {
  const people = parts.reduce((total, part) => total + part.people, 0);
  const mean = (kind: 'sampled' | 'full'): Quality => {
    const [hr10, ndcg10, recall10, precision10, meanReciprocalRank] = MEASURES.map(
      (_, index) =>
        parts.reduce((total, part) => total + (part[kind][index] as number), 0) / Math.max(1, people),
    ) as [number, number, number, number, number];
    return { hr10, ndcg10, recall10, precision10, mrr: meanReciprocalRank };
  };
  return { sampled: mean('sampled'), full: mean('full') };
}
