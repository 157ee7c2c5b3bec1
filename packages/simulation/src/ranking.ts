import {
  measuresOf,
  rankPerson,
  type PersonRanking,
  type RankingMetrics,
  type TrainingRows,
} from '@tutti/evaluation';
import { rowOf, type Population } from './population.ts';
import type { Quality, QualityReport } from './report.ts';

/** Length of the lists that quality is measured on. */
export const K = 10;

/** How person `user` is ranked for by these scores; nothing where nothing of theirs is held out. */
export function rankOne(
  scores: Float32Array,
  { train, test }: Pick<Population, 'train' | 'test'>,
  user: number,
): PersonRanking | undefined {
  const positive = test.positives[user] as number;
  if (positive < 0) return undefined;
  const negatives = rowOf(test.candidates, user);
  return rankPerson({ user, scores, history: rowOf(train, user), positive, negatives, k: K });
}

/** Means over `people`, added in their order. */
export function qualityOf(people: readonly PersonRanking[], train: TrainingRows): QualityReport {
  const { sampled, full, lists } = measuresOf(people, train, K);
  const { coverage, novelty, popularityLift, gini } = lists;
  return {
    sampled: qualityOfMetrics(sampled),
    full: qualityOfMetrics(full),
    lists: { coverage, novelty, popularityLift, gini },
  };
}

/** The metrics at 10 under the names of reports. */
export function qualityOfMetrics({ hr, ndcg, recall, precision, f1, mrr, mrrAtK }: RankingMetrics): Quality {
  return {
    hr10: hr,
    ndcg10: ndcg,
    recall10: recall,
    precision10: precision,
    f1At10: f1,
    mrr,
    mrr10: mrrAtK,
  };
}
