import type { SeededRandom } from '@tutti/base';
import type { BothMetrics, HeldOutItems } from './evaluate.ts';
import { bothMetricsOf, negativesOf, positiveOf, rankPerson, type PersonRanking } from './people.ts';
import { historyOf, type TrainingRows } from './references/recommender.ts';

/** How well newcomers are served who have told little yet. */
export interface ColdStartPoint extends BothMetrics {
  /** Interactions that the recommender was told of. */
  readonly interactions: number;
}

/** Interactions of the points of a curve, unless others are asked for. */
export const COLD_START_COUNTS: readonly number[] = [0, 1, 3, 5, 10, 20];

/** People a curve is measured on at most: a standard error of at most 0.016 in HR. */
const MOST_PEOPLE = 1_000;

/** What newcomers are ranked for with. */
export interface NewcomerOptions {
  /** Scores of every item for somebody who touched the items of `history`, with what was learned before: nothing is trained again. */
  readonly scoreHistory: (history: Int32Array, user: number) => Float32Array | Promise<Float32Array>;
  readonly train: TrainingRows;
  readonly test: HeldOutItems;
  /** Which of a person's items are told. */
  readonly random: SeededRandom;
  readonly counts?: readonly number[];
  readonly k?: number;
}

/** What a cold-start curve is made from. */
export interface ColdStartOptions extends NewcomerOptions {
  /** People at most, evenly spread; default 1,000. */
  readonly people?: number;
  /** Called after each person with the share that is done. */
  readonly onProgress?: (share: number) => void | Promise<void>;
}

/**
 * Metrics by how many interactions the recommender is told of: `n` drawn at random from a person's training part, a longer draw always
 * holding the shorter ones. Everything that the person trained on stays out of full ranking, told or not, so that points differ in
 * what is known and in nothing else.
 *
 * The same people stand behind every point: {@link coldStartPeople}. The recommender itself may have learned from all of their
 * interactions: this is a person with a new device, not one whom the catalogue's vectors never met.
 */
export async function coldStartCurve(options: ColdStartOptions): Promise<ColdStartPoint[]> {
  const users = coldStartPeople(options);
  const people: PersonRanking[][] = [];
  for (const user of users) {
    people.push(await rankNewcomer(options, user));
    await options.onProgress?.(people.length / users.length);
  }
  return coldStartPoints(people, options);
}

/** The least share of people who have as many items as a point tells of. */
const LEAST_SHARE = 0.1;

/** One person's rankings, one for each count of interactions that are told. They depend on nobody else. */
export async function rankNewcomer(options: NewcomerOptions, user: number): Promise<PersonRanking[]> {
  const { scoreHistory, train, test, random, counts = COLD_START_COUNTS, k = 10 } = options;
  const history = historyOf(train, user);
  const order = shuffled(history, random.fork('told', user));
  const task = { user, history, positive: positiveOf(test, user), negatives: negativesOf(test, user), k };
  const rankings: PersonRanking[] = [];
  for (const interactions of counts)
    rankings.push(rankPerson({ ...task, scores: await scoreHistory(order.slice(0, interactions), user) }));
  return rankings;
}

/**
 * The points of a curve. One that fewer than a tenth of the people have items for is left out: it would say of `n` items known what is
 * so of fewer.
 * @param people what {@link rankNewcomer} gave of each, added in this order.
 */
export function coldStartPoints(
  people: readonly (readonly PersonRanking[])[],
  { train, counts = COLD_START_COUNTS, k = 10 }: Pick<NewcomerOptions, 'train' | 'counts' | 'k'>,
): ColdStartPoint[] {
  const lengths = people.map(([first]) => (first === undefined ? 0 : historyOf(train, first.user).length));
  const isTold = (count: number): boolean =>
    lengths.filter((length) => length >= count).length >= LEAST_SHARE * people.length;
  return counts.flatMap((interactions, point) => {
    if (!isTold(interactions)) return [];
    const rankings = people.map((one) => one[point] as PersonRanking);
    return [{ interactions, ...bothMetricsOf(rankings, k) }];
  });
}

/**
 * Whom a curve is of: those whose training part is as long as the longest draw, evenly spread; where they are fewer than a tenth, of
 * everybody, and a point then tells of somebody whatever there is up to `n`, if it is there ({@link coldStartPoints}).
 */
export function coldStartPeople(
  options: Pick<ColdStartOptions, 'train' | 'counts' | 'people'> & {
    readonly test: Pick<HeldOutItems, 'positives'>;
  },
): number[] {
  const { train, test, counts = COLD_START_COUNTS, people = MOST_PEOPLE } = options;
  const longest = Math.max(...counts);
  const all = Array.from({ length: train.users }, (_, user) => user).filter(
    (user) => positiveOf(test, user) >= 0,
  );
  const long = all.filter((user) => historyOf(train, user).length >= longest);
  const eligible = long.length >= LEAST_SHARE * all.length ? long : all;
  if (eligible.length <= people) return eligible;
  return Array.from(
    { length: people },
    (_, n) => eligible[Math.floor((n * eligible.length) / people)] as number,
  );
}

function shuffled(items: Int32Array, random: SeededRandom): Int32Array {
  const order = items.slice();
  for (let n = order.length - 1; n > 0; n--) {
    const other = random.int(n + 1);
    [order[n], order[other]] = [order[other] as number, order[n] as number];
  }
  return order;
}
