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
export { checkCanaries, memoryScorer } from './check-canaries.ts';
export type { Canary, CanaryOptions, CanaryReport } from './check-canaries.ts';
export { bootstrapMean } from './bootstrap.ts';
export type { BootstrapOptions, Interval } from './bootstrap.ts';
export { coldStartCurve, coldStartPeople, coldStartPoints, rankNewcomer } from './cold-start.ts';
export type { ColdStartOptions, ColdStartPoint, NewcomerOptions } from './cold-start.ts';
export { evaluateBoth, evaluateFull, evaluateSampled, metricsOfRanks } from './evaluate.ts';
export type {
  BothMetrics,
  EvaluationOptions,
  FullEvaluationOptions,
  HeldOutItems,
  RankingMetrics,
  Scorer,
} from './evaluate.ts';
export { rootMeanSquareError } from './ratings.ts';
export { groupFairness } from './groups.ts';
export type { Gap, GroupFairness, GroupMetrics } from './groups.ts';
export { evaluateLists, giniIndex, metricsOfLists } from './lists.ts';
export type { ListMetrics, PersonList } from './lists.ts';
export { f1, hitRate, mrr, mrrAt, ndcg, precision, recall } from './metrics.ts';
export { bothMetricsOf, measuresOf, rankPeople, rankPerson } from './people.ts';
export type { Measures, PeopleOptions, PersonRanking, PersonTask } from './people.ts';
export { rankFull, rankHeldOut, rankOf, topItems } from './rank.ts';
export type { AllItems, Candidates } from './rank.ts';
export { ease, easeRegularization, MOST_EASE_ITEMS } from './references/ease.ts';
export type { EaseOptions } from './references/ease.ts';
export { genrePopularity } from './references/genre-popularity.ts';
export { ials, ialsDefaults } from './references/ials.ts';
export type { IalsOptions } from './references/ials.ts';
export { itemKnn } from './references/item-knn.ts';
export type { ItemKnnOptions } from './references/item-knn.ts';
export { popularity } from './references/popularity.ts';
export { historyOf, ratingsOf, historyRecommender } from './references/recommender.ts';
export type {
  HistoryRecommender,
  HistoryScorer,
  Recommender,
  TrainingRows,
} from './references/recommender.ts';
