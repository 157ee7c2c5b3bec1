import type { SeededRandom } from '@tutti/base';
import { norm, rowOf, type PersonDelta, type Victims } from './people.ts';
import type { SentVector } from './membership.ts';
import { auc, chanceBound, distance, FALSE_ALARM, rocCurve, shuffleInPlace } from './statistics.ts';
import { defended, exposed, type AttackResult } from './types.ts';

/** What the attack must reach where nothing hides a delta, at least: clearly more than guessing. */
const CLEARLY = 0.6;

const FOLDS = 5;

/** λ of the ridge, over the mean diagonal of the kernel. */
const RIDGE = 1;

/** One small whole number a person, of which training never sees anything. */
export interface Attribute {
  readonly name: string;
  /** 0 or 1; anything else is not known and left out. */
  readonly values: ArrayLike<number>;
}

/**
 * Attribute inference: a ridge classifier learns an attribute that training never sees, and is asked about people that it did not
 * learn from. From deltas as they are and from the person's vector if it were sent, where it succeeds; and from the masked words that
 * devices really send, where it must not.
 */
export function attributeInference(
  victims: Victims,
  people: readonly PersonDelta[],
  sent: readonly SentVector[],
  attribute: Attribute,
): AttackResult[] {
  const name = `inference of an attribute (${attribute.name})`;
  const attack = (told: readonly Told[]) =>
    inferred(
      told.filter(({ user }) => isKnown(attribute.values[user])),
      (user) => attribute.values[user] as number,
      victims.random.fork('folds', attribute.name),
    );
  const fromDeltas = attack(people.map(({ user, delta }) => ({ user, vectors: views(victims, delta) })));
  const fromVectors = attack(people.map(({ user, vector }) => ({ user, vectors: [vector] })));
  const fromWords = attack(
    sent.map(({ user, words }) => ({
      user,
      vectors: views(
        victims,
        Float32Array.from(words, (word) => word | 0),
      ),
    })),
  );
  return [
    ...sure(fromDeltas, name, 'from deltas as they are'),
    ...sure(fromVectors, name, 'from each person’s own vector, which is never sent'),
    ...(fromWords === undefined
      ? []
      : [
          defended({
            name,
            defence: 'masks',
            statistic: `${fromWords.statistic}; from what is sent; false alarms below ${FALSE_ALARM}`,
            value: distance(fromWords.area),
            bound: fromWords.chance,
            roc: fromWords.roc,
          }),
        ]),
  ];
}

const isKnown = (value: number | undefined): boolean => value === 0 || value === 1;

function sure(found: Inferred | undefined, name: string, from: string): AttackResult[] {
  if (found === undefined) return [];
  const { statistic, area, chance, roc } = found;
  return [
    exposed({ name, statistic: `${statistic}; ${from}`, value: area, bound: Math.max(CLEARLY, chance), roc }),
  ];
}

/** What the attacker holds of one person, in one or more views. */
interface Told {
  readonly user: number;
  readonly vectors: readonly ArrayLike<number>[];
}

/** A vector of a delta's form, and the length of each of its item rows: which items, and in what direction they were moved. */
function views({ model }: Victims, vector: Float32Array): ArrayLike<number>[] {
  return [vector, Float64Array.from({ length: model.items }, (_, item) => norm(rowOf(model, vector, item)))];
}

interface Inferred {
  readonly statistic: string;
  readonly area: number;
  /** What guessing stays below. */
  readonly chance: number;
  readonly roc: ReturnType<typeof rocCurve>;
}

/** Fewer people of a kind than this teach nothing. */
const FEWEST_OF_A_KIND = 2 * FOLDS;

function inferred(
  people: readonly Told[],
  labelOf: (user: number) => number,
  random: SeededRandom,
): Inferred | undefined {
  const labels = people.map(({ user }) => labelOf(user));
  const positives = labels.filter((label) => label === 1).length;
  const negatives = labels.length - positives;
  if (Math.min(positives, negatives) < FEWEST_OF_A_KIND) return undefined;
  const scores = crossValidated(kernelOf(people), labels, foldsOf(labels, random));
  return {
    statistic: `area under the curve over ${labels.length} people (${positives} and ${negatives}), ${FOLDS} folds`,
    area: auc(scores, labels),
    chance: chanceBound(positives, negatives),
    roc: rocCurve(scores, labels),
  };
}

/** Cosines of every two people's vectors of each kind, added; and 1 for the constant. */
function kernelOf(people: readonly Told[]): Float64Array[] {
  const kernel = people.map(() => new Float64Array(people.length).fill(1));
  const kinds = people[0]?.vectors.length ?? 0;
  for (let kind = 0; kind < kinds; kind++) {
    const vectors = people.map((person) => normalized(person.vectors[kind] as ArrayLike<number>));
    vectors.forEach((vector, i) => {
      for (let j = 0; j <= i; j++) {
        const cosine = product(vector, vectors[j] as Float32Array);
        const [row, column] = [kernel[i] as Float64Array, kernel[j] as Float64Array];
        row[j] = (row[j] as number) + cosine;
        if (i !== j) column[i] = row[j] as number;
      }
    });
  }
  return kernel;
}

function normalized(vector: ArrayLike<number>): Float32Array {
  const length = Math.max(norm(vector), Number.MIN_VALUE);
  return Float32Array.from(vector, (value) => value / length);
}

/** Four sums at once: nearly all the time of this attack is spent here. */
function product(a: Float32Array, b: Float32Array): number {
  let [w, x, y, z] = [0, 0, 0, 0];
  const whole = a.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    w += (a[i] as number) * (b[i] as number);
    x += (a[i + 1] as number) * (b[i + 1] as number);
    y += (a[i + 2] as number) * (b[i + 2] as number);
    z += (a[i + 3] as number) * (b[i + 3] as number);
  }
  for (let i = whole; i < a.length; i++) w += (a[i] as number) * (b[i] as number);
  return w + x + y + z;
}

/** A fold for each person; each fold has its share of both kinds. */
function foldsOf(labels: readonly number[], random: SeededRandom): number[] {
  const order = labels.map((_, i) => i);
  shuffleInPlace(order, random);
  order.sort((a, b) => (labels[a] as number) - (labels[b] as number));
  const folds = new Array<number>(labels.length).fill(0);
  order.forEach((person, place) => (folds[person] = place % FOLDS));
  return folds;
}

/** Scores of each person by a classifier that learned from the other folds. */
function crossValidated(
  kernel: readonly Float64Array[],
  labels: readonly number[],
  folds: readonly number[],
): number[] {
  const scores = new Array<number>(labels.length).fill(0);
  for (let fold = 0; fold < FOLDS; fold++) {
    const learned = labels.map((_, i) => i).filter((i) => folds[i] !== fold);
    const weights = ridge(
      learned.map((i) => learned.map((j) => (kernel[i] as Float64Array)[j] as number)),
      balanced(learned.map((i) => labels[i] as number)),
    );
    labels.forEach((_, i) => {
      if (folds[i] !== fold) return;
      const row = kernel[i] as Float64Array;
      scores[i] = learned.reduce((sum, j, at) => sum + (row[j] as number) * (weights[at] as number), 0);
    });
  }
  return scores;
}

/** Targets of 1 and −1, weighted so that both kinds count as much. */
function balanced(labels: readonly number[]): number[] {
  const positives = labels.filter((label) => label === 1).length;
  return labels.map((label) =>
    label === 1 ? labels.length / (2 * positives) : -labels.length / (2 * (labels.length - positives)),
  );
}

/** (K + λ·I)⁻¹·y, by Cholesky. */
function ridge(kernel: number[][], targets: readonly number[]): number[] {
  const n = targets.length;
  const lambda = (RIDGE * kernel.reduce((sum, row, i) => sum + (row[i] as number), 0)) / n;
  const lower = kernel.map((row) => Float64Array.from(row));
  for (let i = 0; i < n; i++) {
    const row = lower[i] as Float64Array;
    row[i] = (row[i] as number) + lambda;
    for (let j = 0; j <= i; j++) {
      const other = lower[j] as Float64Array;
      let sum = row[j] as number;
      for (let k = 0; k < j; k++) sum -= (row[k] as number) * (other[k] as number);
      row[j] = i === j ? Math.sqrt(Math.max(sum, Number.MIN_VALUE)) : sum / (other[j] as number);
    }
  }
  const out = [...targets];
  for (let i = 0; i < n; i++) {
    const row = lower[i] as Float64Array;
    for (let k = 0; k < i; k++) out[i] = (out[i] as number) - (row[k] as number) * (out[k] as number);
    out[i] = (out[i] as number) / (row[i] as number);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++)
      out[i] = (out[i] as number) - ((lower[k] as Float64Array)[i] as number) * (out[k] as number);
    out[i] = (out[i] as number) / ((lower[i] as Float64Array)[i] as number);
  }
  return out;
}
