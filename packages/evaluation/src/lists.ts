import { checkK, type Scorer } from './evaluate.ts';
import { topItems } from './rank.ts';
import { peopleCounts } from './references/popularity.ts';
import { historyOf, type TrainingRows } from './references/recommender.ts';

/** What lists of k items are like, whether or not they hit. Every figure is 0 where nothing is listed. */
export interface ListMetrics {
  /** Items that stand on somebody's list / items: 1 where everything is shown to somebody. */
  readonly coverage: number;
  /**
   * Mean over the listed items of −log2(people who touched the item / people), in bits. An item that nobody touched
   * counts as touched by one. 0 where only items that everybody knows are listed, or nothing is.
   */
  readonly novelty: number;
  /**
   * Popularity lift: mean over people of (mean popularity of their list / mean popularity of what they touched) − 1, popularity being the
   * number of people who touched an item. 0 where lists are as popular as people's own taste, 1 where they are twice as popular, −1
   * where nobody knows what is listed. People who touched nothing are left out.
   */
  readonly popularityLift: number;
  /**
   * Gini index of how often each item is listed: 0 where all items are listed equally often, towards 1 where few items fill all lists.
   */
  readonly gini: number;
  /** Lists made. */
  readonly users: number;
  readonly k: number;
}

/** A person's list of items, best first. */
export interface PersonList {
  readonly user: number;
  readonly list: Int32Array;
}

/**
 * {@link ListMetrics} of lists that were made already.
 * @param k the length that was asked for; lists are shorter where there were fewer items.
 * @see Ge, Delgado-Battenfeld & Jannach, Beyond Accuracy, RecSys 2010 (coverage); Zhou et al., Solving the Apparent
 *   Diversity-Accuracy Dilemma of Recommender Systems, PNAS 2010 (novelty as self-information); Abdollahpouri et al., The Connection
 *   Between Popularity Bias, Calibration, and Fairness in Recommendation, RecSys 2020 (popularity lift); Fleder & Hosanagar, Blockbuster
 *   Culture's Next Rise or Fall, Management Science 2009 (Gini index).
 */
export function metricsOfLists(people: readonly PersonList[], train: TrainingRows, k: number): ListMetrics {
  const popularity = peopleCounts(train);
  const timesListed = new Float64Array(train.items);
  for (const { list } of people) {
    for (const item of list) timesListed[item] = (timesListed[item] as number) + 1;
  }
  return {
    coverage: timesListed.filter((times) => times > 0).length / Math.max(1, train.items),
    novelty: noveltyOf(timesListed, popularity, train.users),
    popularityLift: popularityLift(people, train, popularity),
    gini: giniIndex(timesListed),
    users: people.length,
    k,
  };
}

/**
 * {@link ListMetrics} of everybody's `k` best items outside training.
 * @throws {UsageError} if `k` is not a whole number of at least 1.
 */
export async function evaluateLists(options: {
  readonly scorer: Scorer;
  readonly train: TrainingRows;
  readonly users?: Int32Array;
  readonly k?: number;
}): Promise<ListMetrics> {
  const { scorer, train, k = 10 } = options;
  const { users = Int32Array.from({ length: train.users }, (_, user) => user) } = options;
  checkK(k);
  const people: PersonList[] = [];
  for (const user of users) {
    const seen = new Set(historyOf(train, user));
    people.push({ user, list: Int32Array.from(topItems(await scorer(user), k, seen)) });
  }
  return metricsOfLists(people, train, k);
}

/**
 * Gini index of counts: Σ_i (2i − n − 1)·x_i / (n·Σ x), x rising and i from 1. 0 where all are equal, (n − 1)/n where one has everything,
 * and 0 where there is nothing.
 */
export function giniIndex(counts: Float64Array): number {
  const n = counts.length;
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  const rising = counts.slice().sort();
  const weighted = rising.reduce((sum, count, index) => sum + (2 * (index + 1) - n - 1) * count, 0);
  return weighted / (n * total);
}

function noveltyOf(timesListed: Float64Array, popularity: Float64Array, users: number): number {
  let [bits, places] = [0, 0];
  timesListed.forEach((times, item) => {
    bits -= times * Math.log2(Math.max(1, popularity[item] as number) / users);
    places += times;
  });
  return bits / Math.max(1, places);
}

function popularityLift(
  people: readonly PersonList[],
  train: TrainingRows,
  popularity: Float64Array,
): number {
  const mean = (items: Int32Array): number =>
    items.reduce((sum, item) => sum + (popularity[item] as number), 0) / items.length;
  const lifts = people.flatMap(({ user, list }) => {
    const history = historyOf(train, user);
    return history.length === 0 || list.length === 0 ? [] : [mean(list) / mean(history) - 1];
  });
  return lifts.reduce((sum, lift) => sum + lift, 0) / Math.max(1, lifts.length);
}
