import { auc, chanceBound, distance } from './statistics.ts';
import { norm, type PersonDelta, type Victims } from './people.ts';
import type { SentVector } from './membership.ts';
import { defended, exposed, type AttackResult } from './types.ts';

/** What the attack must reach where nothing hides a delta: clearly more than guessing. */
const CLEARLY = 0.6;

const FOLDS = 5;

/**
 * Attribute inference: a classifier (difference of class means, five folds) learns an attribute that training never sees from
 * what leaves devices, and is asked about people that it did not learn from.
 */
export function attributeInference(
  { random }: Victims,
  people: readonly PersonDelta[],
  sent: readonly SentVector[],
  attribute: { readonly name: string; readonly values: ArrayLike<number> },
): AttackResult[] {
  const labelOf = (user: number): number => attribute.values[user] as number;
  const area = (vectors: readonly { user: number; vector: Float32Array }[]) => {
    const labels = vectors.map(({ user }) => labelOf(user));
    const scores = crossValidated(
      vectors.map(({ vector }) => vector),
      labels,
      (i) => random.fork('fold', i).int(FOLDS),
    );
    const positives = labels.filter((label) => label === 1).length;
    return { value: distance(auc(scores, labels)), bound: chanceBound(positives, labels.length - positives) };
  };
  const name = `inference of an attribute (${attribute.name})`;
  const statistic = (count: number): string => `area under the curve over ${count} people, ${FOLDS} folds`;
  const plain = area(people.map(({ user, delta }) => ({ user, vector: delta })));
  const masked = area(
    sent.map(({ user, words }) => ({
      user,
      vector: Float32Array.from(words, (word) => (word | 0) / 2 ** 31),
    })),
  );
  return [
    exposed({
      name,
      statistic: `${statistic(people.length)}; from deltas as they are`,
      value: plain.value,
      bound: CLEARLY,
    }),
    defended({
      name,
      defence: 'masks',
      statistic: `${statistic(sent.length)}; from what is sent`,
      ...masked,
    }),
  ];
}

/** Scores of each vector by a classifier that learned from the other folds. */
function crossValidated(
  vectors: readonly Float32Array[],
  labels: readonly number[],
  foldOf: (i: number) => number,
): number[] {
  const scores = new Array<number>(vectors.length).fill(0);
  for (let fold = 0; fold < FOLDS; fold++) {
    const direction = new Float64Array(vectors[0]?.length ?? 0);
    const counts = [0, 0];
    vectors.forEach((_, i) => {
      if (foldOf(i) !== fold) counts[labels[i] as number] = (counts[labels[i] as number] as number) + 1;
    });
    vectors.forEach((vector, i) => {
      if (foldOf(i) === fold) return;
      const weight = (labels[i] === 1 ? 1 : -1) / ((counts[labels[i] as number] as number) * norm(vector));
      for (let at = 0; at < vector.length; at++)
        direction[at] = (direction[at] as number) + weight * (vector[at] as number);
    });
    vectors.forEach((vector, i) => {
      if (foldOf(i) !== fold) return;
      let score = 0;
      for (let at = 0; at < vector.length; at++) score += (direction[at] as number) * (vector[at] as number);
      scores[i] = score / norm(vector);
    });
  }
  return scores;
}
