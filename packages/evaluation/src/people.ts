import {
  checkK,
  metricsOfRanks,
  type BothMetrics,
  type EvaluationOptions,
  type HeldOutItems,
  type RankingMetrics,
} from './evaluate.ts';
import { metricsOfLists, type ListMetrics, type PersonList } from './lists.ts';
import { rankFull, rankHeldOut, topItems } from './rank.ts';
import { historyOf, type TrainingRows } from './references/recommender.ts';

/** How one person was ranked for: all that any measure is made from. */
export interface PersonRanking extends PersonList {
  /** Rank of the held-out item, from 0, among the candidates. */
  readonly sampled: number;
  /** Its rank among every item outside training. */
  readonly full: number;
  /** Its score; of a model of ratings the rating that it predicts. */
  readonly score: number;
}

/** What {@link rankPerson} ranks for. */
export interface PersonTask {
  readonly user: number;
  /** One for every item; not modified. */
  readonly scores: Float32Array;
  /** What the person trained on: left out of the list and of full ranking. */
  readonly history: Int32Array;
  readonly positive: number;
  readonly negatives: Int32Array;
  /** Length of the list. */
  readonly k: number;
}

/**
 * Ranks one person's held-out item, and lists their `k` best items outside training.
 * @throws {UsageError} if the held-out item has no score.
 */
export function rankPerson({ user, scores, history, positive, negatives, k }: PersonTask): PersonRanking {
  return {
    user,
    sampled: rankHeldOut({ scores, positive, negatives }),
    full: rankFull({ scores, positive, exclude: history }),
    list: Int32Array.from(topItems(scores, k, new Set(history))),
    score: scores[positive] as number,
  };
}

/** What {@link rankPeople} takes. */
export interface PeopleOptions extends EvaluationOptions {
  readonly train: TrainingRows;
}

/**
 * {@link rankPerson} for everybody who has a held-out item, with one call of the scorer a person.
 * @throws {UsageError} if `k` is not a whole number of at least 1, or a held-out item has no score.
 */
export async function rankPeople(options: PeopleOptions): Promise<PersonRanking[]> {
  const { scorer, train, test, k = 10, onPerson } = options;
  const { users = Int32Array.from(test.positives.keys()) } = options;
  checkK(k);
  const people: PersonRanking[] = [];
  for (const [index, user] of users.entries()) {
    const positive = positiveOf(test, user);
    if (positive >= 0) {
      const task = { history: historyOf(train, user), positive, negatives: negativesOf(test, user), k };
      people.push(rankPerson({ ...task, user, scores: await scorer(user) }));
    }
    await onPerson?.(index + 1);
  }
  return people;
}

/** Everything that is measured of people who were ranked for. */
export interface Measures extends BothMetrics {
  readonly lists: ListMetrics;
}

/** Means over people of every metric. */
export function measuresOf(people: readonly PersonRanking[], train: TrainingRows, k = 10): Measures {
  return { ...bothMetricsOf(people, k), lists: metricsOfLists(people, train, k) };
}

/** Means over people of the metrics of both rankings. */
export function bothMetricsOf(people: readonly PersonRanking[], k: number): BothMetrics {
  const of = (kind: 'sampled' | 'full'): RankingMetrics =>
    metricsOfRanks(
      people.map((person) => person[kind]),
      k,
    );
  return { sampled: of('sampled'), full: of('full') };
}

/** The held-out item of a person, −1 where there is none. */
export const positiveOf = ({ positives }: Pick<HeldOutItems, 'positives'>, user: number): number =>
  positives[user] ?? -1;

/** What it is ranked among. */
export const negativesOf = ({ negatives }: HeldOutItems, user: number): Int32Array =>
  negatives[user] ?? new Int32Array(0);
