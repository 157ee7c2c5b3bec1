import { seededRandom } from '@tutti/base';
import {
  historyOf,
  rankNewcomer,
  rankPeople,
  type HeldOutItems,
  type NewcomerOptions,
  type PersonRanking,
} from '@tutti/evaluation';
import { trainingRows, rowOf, type Population } from '../population.ts';
import { K } from '../ranking.ts';
import type { CheckpointScorer } from './checkpoint-scorer.ts';

/** What is measured: how the held-out items of a part are ranked, or how people are served who have told little. */
export const MEASURES = ['test', 'validation', 'newcomers'] as const;
export type Measure = (typeof MEASURES)[number];

/** Whom a checkpoint is to rank for. */
export interface EvaluationTask {
  /** Of others than `users` nothing is read. */
  readonly population: Population;
  readonly users: readonly number[];
  readonly measure: Measure;
}

/** Has people measured with weights, in whatever order; `onDone` hears how many are. */
export type MeasureAll = (
  shared: Float32Array,
  what: Pick<EvaluationTask, 'measure' | 'users'>,
  onDone: (people: number) => void,
) => Promise<readonly PersonRanking[]>;

/**
 * Ranks for people with a checkpoint; of each person as many rankings as the measure has, one after another, and none where nothing of
 * theirs is held out. A ranking depends on that person and the checkpoint alone, wherever it is made.
 *
 * @param onPerson hears how many are done; may let others have their turn, or throw to stop.
 */
export async function measurePeople(
  { population, users, measure }: EvaluationTask,
  { scoreHistory }: Pick<CheckpointScorer, 'scoreHistory'>,
  onPerson?: (done: number) => void | Promise<void>,
): Promise<PersonRanking[]> {
  const train = trainingRows(population);
  const test = heldOutOf(population, users, measure);
  if (measure !== 'newcomers') {
    const scorer = (user: number): Promise<Float32Array> => scoreHistory(historyOf(train, user), user);
    const chosen = { users: Int32Array.from(users), k: K };
    return rankPeople({ scorer, train, test, ...chosen, ...(onPerson && { onPerson }) });
  }
  const told: NewcomerOptions = { scoreHistory, train, test, k: K, random: coldStartRandom() };
  const rankings: PersonRanking[] = [];
  for (const [index, user] of users.entries()) {
    rankings.push(...(await rankNewcomer(told, user)));
    await onPerson?.(index + 1);
  }
  return rankings;
}

/** Which items newcomers are said to have told of: the same of every method. */
export const coldStartRandom = (): NewcomerOptions['random'] => seededRandom('cold start');

/** The held-out items of a measure, and what those of `users` are ranked among. */
function heldOutOf(population: Population, users: readonly number[], measure: Measure): HeldOutItems {
  const part = measure === 'validation' ? population.validation : population.test;
  const negatives: Int32Array[] = [];
  if (part !== undefined) for (const user of users) negatives[user] = rowOf(part.candidates, user);
  return { positives: part?.positives ?? new Int32Array(population.users).fill(-1), negatives };
}
