import { seededRandom, UsageError, type SeededRandom } from '@tutti/base';
import type { HeldOut, Interaction, Interactions } from './types.ts';

/** Negatives that a held-out item is ranked among. */
export const CANDIDATE_NEGATIVES = 99;

/** Fewest interactions of a person who is kept: one to train on, one to validate, one to test. */
export const LEAST_INTERACTIONS = 3;

/** The parts of a leave-one-out split. */
export interface LeaveOneOut {
  readonly train: Interactions;
  readonly validation: HeldOut;
  readonly test: HeldOut;
}

/**
 * Leave one out by latest time: the latest item tests, the second latest validates. Ties keep the order given. The
 * candidates are drawn from everything the person never touched; training negatives are drawn elsewhere, and may be
 * any item outside the training part.
 *
 * @param interactions distinct (user, item) pairs, users 0..users−1 with at least {@link LEAST_INTERACTIONS} each.
 */
export function leaveOneOut(interactions: readonly Interaction[], users: number, items: number, seed: number | string): LeaveOneOut {
  const byUser: Interaction[][] = Array.from({ length: users }, () => []);
  for (const interaction of interactions) byUser[interaction.user]?.push(interaction);
  const random = seededRandom(seed).fork('candidates');
  const rows: number[][] = [];
  const validation = new Int32Array(users);
  const test = new Int32Array(users);
  const validationNegatives: Int32Array[] = [];
  const testNegatives: Int32Array[] = [];
  byUser.forEach((own, user) => {
    if (own.length < LEAST_INTERACTIONS) throw new UsageError(`person ${user} has ${own.length} interactions; at least ${LEAST_INTERACTIONS} are needed`);
    own.sort((a, b) => a.at - b.at);
    const touched = new Set(own.map(({ item }) => item));
    test[user] = (own.pop() as Interaction).item;
    validation[user] = (own.pop() as Interaction).item;
    rows.push(own.map(({ item }) => item));
    testNegatives.push(drawNegatives(touched, items, random.fork('test', user)));
    validationNegatives.push(drawNegatives(touched, items, random.fork('validation', user)));
  });
  return {
    train: rowsOf(rows, items),
    validation: { positives: validation, negatives: validationNegatives },
    test: { positives: test, negatives: testNegatives },
  };
}

/** Rows of items as flat arrays. */
export function rowsOf(rows: readonly (readonly number[])[], items: number): Interactions {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, user) => (offsets[user + 1] = (offsets[user] as number) + row.length));
  const values = new Int32Array(offsets[rows.length] as number);
  rows.forEach((row, user) => values.set(row, offsets[user]));
  return { users: rows.length, items, offsets, values };
}

function drawNegatives(touched: ReadonlySet<number>, items: number, random: SeededRandom): Int32Array {
  const wanted = Math.min(CANDIDATE_NEGATIVES, items - touched.size);
  const drawn = new Set<number>();
  while (drawn.size < wanted) {
    const item = random.int(items);
    if (!touched.has(item)) drawn.add(item);
  }
  return Int32Array.from(drawn);
}
