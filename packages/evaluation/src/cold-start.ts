import type { SeededRandom } from '@tutti/base';
import type { BothMetrics, HeldOutItems } from './evaluate.ts';
import { bothMetricsOf, negativesOf, positiveOf, rankPerson, type PersonRanking } from './people.ts';
import { historyOf, type TrainingRows } from './references/recommender.ts';

/** How well newcomers are served who have told little yet. */
export interface ColdStartPoint extends BothMetrics {
  /** Interactions that the recommender was told of. */
  readonly interactions: number;
}

/** Interactions of the points of a curve. */
const COUNTS: readonly number[] = [0, 1, 3, 5, 10, 20];

/** People a curve is measured on at most: a standard error of at most 0.016 in HR. */
const MOST_PEOPLE = 1_000;

/** What a cold-start curve is made from. */
export interface ColdStartOptions {
  /** Scores of every item for somebody who touched the items of `history`, with what was learned before: nothing is trained again. */
  readonly scoreHistory: (history: Int32Array, user: number) => Float32Array | Promise<Float32Array>;
  readonly train: TrainingRows;
  readonly test: HeldOutItems;
  /** Which of a person's items are told. */
  readonly random: SeededRandom;
  readonly counts?: readonly number[];
  /** People at most, evenly spread; default 1,000. */
  readonly people?: number;
  readonly k?: number;
  /** Called after each point with the share that is done. */
  readonly onProgress?: (share: number) => void | Promise<void>;
}

/**
 * Metrics by how many interactions the recommender is told of: `n` drawn at random from a person's training part, a longer draw always
 * holding the shorter ones. Everything that the person trained on stays out of full ranking, told or not, so that points differ in
 * what is known and in nothing else.
 *
 * The same people stand behind every point: those whose training part is as long as the longest draw; where they are fewer than
 * a tenth, everybody, and a point then tells of somebody whatever there is up to `n`. The recommender itself may have learned from all of
 * their interactions: this is a person with a new device, not one whom the catalogue's vectors never met.
 */
export async function coldStartCurve(options: ColdStartOptions): Promise<ColdStartPoint[]> {
  const { scoreHistory, train, test, random, counts = COUNTS, k = 10, onProgress } = options;
  const users = chosenPeople(options, Math.max(...counts));
  const orders = users.map((user) => shuffled(historyOf(train, user), random.fork('told', user)));
  const points: ColdStartPoint[] = [];
  for (const interactions of counts) {
    const people: PersonRanking[] = [];
    for (const [index, user] of users.entries()) {
      const told = (orders[index] as Int32Array).slice(0, interactions);
      const scores = await scoreHistory(told, user);
      const task = { user, scores, history: historyOf(train, user), k };
      people.push(
        rankPerson({ ...task, positive: positiveOf(test, user), negatives: negativesOf(test, user) }),
      );
    }
    points.push({ interactions, ...bothMetricsOf(people, k) });
    await onProgress?.(points.length / counts.length);
  }
  return points;
}

function chosenPeople({ train, test, people = MOST_PEOPLE }: ColdStartOptions, longest: number): number[] {
  const all = Array.from({ length: train.users }, (_, user) => user).filter(
    (user) => positiveOf(test, user) >= 0,
  );
  const long = all.filter((user) => historyOf(train, user).length >= longest);
  const eligible = long.length * 10 >= all.length ? long : all;
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
