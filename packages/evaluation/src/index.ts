/**
 * How good a ranking is, and whether the figure can be believed: metrics of a held-out item, reference recommenders, and
 * canaries that must score badly.
 *
 * ```ts
 * import { hitRate, ndcg, rankHeldOut } from '@tutti/evaluation';
 *
 * const rank = rankHeldOut({ scores: Float32Array.of(0.1, 0.9, 0.5), positive: 2, negatives: Int32Array.of(0, 1) });
 * console.log(hitRate(rank, 10), ndcg(rank, 10)); // rank 1, from 0
 * ```
 */
export { constantScorer, neverNegativeScorer, randomScorer, uniformNegatives } from './canaries.ts';
export type { NegativeSampler } from './canaries.ts';
export { evaluateBoth, metricsOfRanks } from './evaluate.ts';
export type { HeldOutItems, RankingMetrics, Scorer } from './evaluate.ts';
export { hitRate, mrr, ndcg, precision, rankFull, rankHeldOut, recall, topItems } from './metrics.ts';
export { itemKnn, popularity } from './references.ts';
export type { ItemKnnOptions, Recommender, TrainingRows } from './references.ts';
