import { historyRecommender, type HistoryRecommender, type TrainingRows } from './recommender.ts';

/**
 * Scores every item by how many people touched it: the least that a model must beat. On the MovieLens 1M files of He et
 * al. HR@10 / NDCG@10 = .4531 / .2541.
 */
export function popularity(train: TrainingRows): HistoryRecommender {
  const counts = Float32Array.from(peopleCounts(train));
  return historyRecommender(train, () => counts);
}

/** How many people touched each item. */
export function peopleCounts({ items, values }: TrainingRows): Float64Array {
  const counts = new Float64Array(items);
  for (const item of values) counts[item] = (counts[item] as number) + 1;
  return counts;
}
