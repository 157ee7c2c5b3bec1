import { hitRate, mrr, ndcg, precision, rankFull, rankHeldOut, recall } from './metrics.ts';
import type { TrainingRows } from './references.ts';

/** Means over people of the metrics at k. */
export interface RankingMetrics {
  readonly hr: number;
  readonly ndcg: number;
  readonly recall: number;
  readonly precision: number;
  readonly mrr: number;
  /** People who have a held-out item. */
  readonly users: number;
}

/** A held-out item a person (−1 where there is none), and the negatives it is ranked among. */
export interface HeldOutItems {
  readonly positives: Int32Array;
  readonly negatives: readonly Int32Array[];
}

/** Scores of every item for a person. */
export type Scorer = (user: number) => Float32Array | Promise<Float32Array>;

/** The metrics of ranks (from 0) at k. */
export function metricsOfRanks(ranks: readonly number[], k = 10): RankingMetrics {
  const mean = (of: (rank: number) => number): number => ranks.reduce((sum, rank) => sum + of(rank), 0) / Math.max(1, ranks.length);
  return {
    hr: mean((rank) => hitRate(rank, k)),
    ndcg: mean((rank) => ndcg(rank, k)),
    recall: mean((rank) => recall(rank, k)),
    precision: mean((rank) => precision(rank, k)),
    mrr: mean(mrr),
    users: ranks.length,
  };
}

/** Sampled and full ranking of everybody's held-out item, in one pass over people. */
export async function evaluateBoth(options: {
  scorer: Scorer;
  test: HeldOutItems;
  train: TrainingRows;
  k?: number;
  onPerson?: (done: number) => void;
}): Promise<{ sampled: RankingMetrics; full: RankingMetrics }> {
  const { scorer, test, train, k = 10, onPerson } = options;
  const sampled: number[] = [];
  const full: number[] = [];
  for (let user = 0; user < test.positives.length; user++) {
    const positive = test.positives[user] as number;
    if (positive < 0) continue;
    const scores = await scorer(user);
    sampled.push(rankHeldOut({ scores, positive, negatives: test.negatives[user] ?? new Int32Array(0) }));
    full.push(rankFull({ scores, positive, exclude: train.values.subarray(train.offsets[user], train.offsets[user + 1]) }));
    onPerson?.(user + 1);
  }
  return { sampled: metricsOfRanks(sampled, k), full: metricsOfRanks(full, k) };
}
