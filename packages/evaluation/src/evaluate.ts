import { UsageError } from '@tutti/base';
import { f1, hitRate, mrr, mrrAt, ndcg, precision, recall } from './metrics.ts';
import { rankFull, rankHeldOut } from './rank.ts';
import type { TrainingRows } from './references/recommender.ts';

/** Means over people of the metrics at k. Every one is 0 where nobody was ranked for; see `users`. */
export interface RankingMetrics {
  readonly hr: number;
  readonly ndcg: number;
  readonly recall: number;
  readonly precision: number;
  readonly f1: number;
  /** Over the whole list. */
  readonly mrr: number;
  /** Within the first k. */
  readonly mrrAtK: number;
  /** People who were ranked for: those with a held-out item. */
  readonly users: number;
  /** Length of the list. */
  readonly k: number;
}

/** A held-out item a person (−1 where there is none), and the negatives it is ranked among. */
export interface HeldOutItems {
  readonly positives: Int32Array;
  readonly negatives: readonly Int32Array[];
}

/** Scores of every item for a person. The array is only read, and may be the same each time. */
export type Scorer = (user: number) => Float32Array | Promise<Float32Array>;

/** What every evaluation takes. */
export interface EvaluationOptions {
  readonly scorer: Scorer;
  readonly test: HeldOutItems;
  /** People to rank for; default everybody. */
  readonly users?: Int32Array;
  /** Length of the list, at least 1; default 10. */
  readonly k?: number;
  /** Called after each person, with how many are done; awaited, so it may let others have their turn, or throw to stop. */
  readonly onPerson?: (done: number) => void | Promise<void>;
}

/** Full ranking also takes what people trained on, which is left out of their lists. */
export interface FullEvaluationOptions extends EvaluationOptions {
  readonly train: TrainingRows;
}

/** The same people ranked for in two ways. */
export interface BothMetrics {
  /** Among the candidates. */
  readonly sampled: RankingMetrics;
  /** Among every item outside training. */
  readonly full: RankingMetrics;
}

/**
 * Means of the metrics of ranks.
 * @param ranks from 0, one a person; added in this order.
 */
export function metricsOfRanks(ranks: readonly number[], k = 10): RankingMetrics {
  const mean = (of: (rank: number) => number): number =>
    ranks.reduce((sum, rank) => sum + of(rank), 0) / Math.max(1, ranks.length);
  return {
    hr: mean((rank) => hitRate(rank, k)),
    ndcg: mean((rank) => ndcg(rank, k)),
    recall: mean((rank) => recall(rank, k)),
    precision: mean((rank) => precision(rank, k)),
    f1: mean((rank) => f1(rank, k)),
    mrr: mean(mrr),
    mrrAtK: mean((rank) => mrrAt(rank, k)),
    users: ranks.length,
    k,
  };
}

/**
 * Ranks each person's held-out item among its candidates (one positive and 99 negatives in the published protocol).
 * Ties count against it and a candidate that repeats it is dropped.
 * @throws {UsageError} if `k` is not a whole number of at least 1, or a held-out item has no score.
 * @see He et al., Neural Collaborative Filtering, WWW 2017, §4.1. Sampled figures order models otherwise than full ones do:
 *   Krichene & Rendle, On Sampled Metrics for Item Recommendation, KDD 2020. Print both.
 */
export async function evaluateSampled(options: EvaluationOptions): Promise<RankingMetrics> {
  const [ranks] = await ranksOf(options, [sampledRank(options.test)]);
  return metricsOfRanks(ranks as number[], options.k);
}

/**
 * Ranks each person's held-out item among every item outside the person's training part.
 * @throws {UsageError} as {@link evaluateSampled}, or if there is not one score for every item.
 */
export async function evaluateFull(options: FullEvaluationOptions): Promise<RankingMetrics> {
  const [ranks] = await ranksOf(options, [fullRank(options.train)]);
  return metricsOfRanks(ranks as number[], options.k);
}

/** {@link evaluateSampled} and {@link evaluateFull} with one call of the scorer a person. */
export async function evaluateBoth(options: FullEvaluationOptions): Promise<BothMetrics> {
  const [sampled, full] = await ranksOf(options, [sampledRank(options.test), fullRank(options.train)]);
  return {
    sampled: metricsOfRanks(sampled as number[], options.k),
    full: metricsOfRanks(full as number[], options.k),
  };
}

/** @throws {UsageError} if `k` is no length of a list. */
export function checkK(k: number): void {
  if (!Number.isInteger(k) || k < 1)
    throw new UsageError(`k is ${k}; a whole number of at least 1 is needed`);
}

type Rank = (user: number, positive: number, scores: Float32Array) => number;

const sampledRank =
  ({ negatives }: HeldOutItems): Rank =>
  (user, positive, scores) =>
    rankHeldOut({ scores, positive, negatives: negatives[user] ?? new Int32Array(0) });

const fullRank =
  (train: TrainingRows): Rank =>
  (user, positive, scores) => {
    if (scores.length !== train.items) {
      throw new UsageError(`the scorer gives ${scores.length} scores; there are ${train.items} items`);
    }
    const exclude = train.values.subarray(train.offsets[user], train.offsets[user + 1]);
    return rankFull({ scores, positive, exclude });
  };

/** For each of `kinds` the ranks of everybody's held-out item. */
async function ranksOf(options: EvaluationOptions, kinds: readonly Rank[]): Promise<number[][]> {
  const { scorer, test, users = Int32Array.from(test.positives.keys()), k = 10, onPerson } = options;
  checkK(k);
  const ranks = kinds.map((): number[] => []);
  for (const [index, user] of users.entries()) {
    const positive = test.positives[user] ?? -1;
    if (positive >= 0) {
      const given = scorer(user);
      const scores = given instanceof Float32Array ? given : await given;
      kinds.forEach((rank, kind) => (ranks[kind] as number[]).push(rank(user, positive, scores)));
    }
    await onPerson?.(index + 1);
  }
  return ranks;
}
