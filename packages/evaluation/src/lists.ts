import { UsageError } from '@tutti/base';
import type { Scorer } from './evaluate.ts';
import { topItems } from './rank.ts';
import { peopleCounts } from './references/popularity.ts';
import type { TrainingRows } from './references/recommender.ts';

/** What lists of k items are like, whether or not they hit. */
export interface ListMetrics {
  /** Items that stand on somebody's list / items: 1 where everything is shown to somebody. */
  readonly coverage: number;
  /**
   * Mean over the listed items of −log2(people who touched the item / people), in bits. An item that nobody touched
   * counts as touched by one. 0 where only items that everybody knows are listed, or nothing is.
   */
  readonly novelty: number;
  /** Lists made. */
  readonly users: number;
  readonly k: number;
}

/**
 * Coverage and novelty of everybody's `k` best items outside training.
 * @throws {UsageError} if `k` is not a whole number of at least 1.
 * @see Ge, Delgado-Battenfeld & Jannach, Beyond Accuracy, RecSys 2010 (coverage); Zhou et al., Solving the Apparent
 *   Diversity-Accuracy Dilemma of Recommender Systems, PNAS 2010 (novelty as self-information).
 */
export async function evaluateLists(options: {
  readonly scorer: Scorer;
  readonly train: TrainingRows;
  readonly users?: Int32Array;
  readonly k?: number;
}): Promise<ListMetrics> {
  const { scorer, train, k = 10 } = options;
  const { users = Int32Array.from({ length: train.users }, (_, user) => user) } = options;
  if (!Number.isInteger(k) || k < 1)
    throw new UsageError(`k is ${k}; a whole number of at least 1 is needed`);
  const touched = peopleCounts(train);
  const listed = new Set<number>();
  let [bits, places] = [0, 0];
  for (const user of users) {
    const seen = new Set(train.values.subarray(train.offsets[user], train.offsets[user + 1]));
    for (const item of topItems(await scorer(user), k, seen)) {
      listed.add(item);
      bits -= Math.log2(Math.max(1, touched[item] as number) / train.users);
      places++;
    }
  }
  return {
    coverage: listed.size / Math.max(1, train.items),
    novelty: bits / Math.max(1, places),
    users: users.length,
    k,
  };
}
