import { rankHeldOut, rankFull } from '@tutti/evaluation';
import { rowOf, type SharedHeldOut } from './population.ts';
import type { Quality } from './report.ts';
import type { RankingSums } from './thread.ts';

/** Length of the lists that quality is measured on. */
const K = 10;

/** Order of the sums in {@link RankingSums}. */
const MEASURES = ['hr10', 'ndcg10', 'recall10', 'precision10', 'mrr'] as const;

/** Sums over nobody yet. */
export function emptyRankingSums(): RankingSums {
  return { people: 0, sampled: MEASURES.map(() => 0), full: MEASURES.map(() => 0) };
}
