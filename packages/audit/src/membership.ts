import { analyticGaussianSigma } from '@tutti/privacy';
import { auc, chanceBound, distance, privateBound } from './statistics.ts';
import { deltaOf, dot, noisySum, norm, rowOf, type PersonDelta, type Victims } from './people.ts';
import { defended, exposed, type AttackResult } from './types.ts';

/** Times that each world is played. */
const TRIALS = 200;

/** δ of the release under attack. */
const DP_DELTA = 1e-5;

/** How surely an attack without a defence must succeed to count as one. */
const CERTAIN = 0.95;

/** What one client sends, as the coordinator receives it. */
export interface SentVector {
  readonly user: number;
  readonly words: Uint32Array;
}

/**
 * Membership of an interaction in one client's vector: is a row that the person touched longer than one that they did not? Once
 * on what would be sent without masks, and once on the masked words that a client really sent.
 */
export function membershipInVector(
  victims: Victims,
  people: readonly PersonDelta[],
  sent: readonly SentVector[],
): AttackResult[] {
  const name = 'membership of an interaction, from one client’s vector';
  const vectorOf = new Map(sent.map(({ user, words }) => [user, Float64Array.from(words, toUnit)]));
  const area = (of: (person: PersonDelta) => Float32Array | Float64Array | undefined) => {
    const scores: number[] = [];
    const labels: number[] = [];
    for (const person of people) {
      const vector = of(person);
      if (vector === undefined) continue;
      for (const [item, label] of pairOfItems(victims, person)) {
        scores.push(norm(rowOf(victims.model, vector as Float64Array, item)));
        labels.push(label);
      }
    }
    return { value: distance(auc(scores, labels)), bound: chanceBound(labels.length / 2, labels.length / 2) };
  };
  const plain = area(({ delta }) => delta);
  const masked = area(({ user }) => vectorOf.get(user));
  const statistic = 'area under the curve for "this person touched this item"';
  return [
    exposed({ name, statistic, value: plain.value, bound: CERTAIN }),
    defended({ name, defence: 'masks', statistic, ...masked }),
  ];
}

/** A masked word as a number around 0: the attacker knows the scale of the ring. */
const toUnit = (word: number): number => (word | 0) / 2 ** 31;

/** One item that the person touched, and one that they did not. */
function pairOfItems({ model, random }: Victims, { user, items }: PersonDelta): [number, 0 | 1][] {
  const stream = random.fork('pair', user);
  const own = [...items];
  let other = stream.int(model.items);
  while (items.has(other)) other = stream.int(model.items);
  return [
    [own[stream.int(own.length)] as number, 1],
    [other, 0],
  ];
}

/**
 * Membership of an interaction in a round's sum, by an attacker that knows everything else: all other deltas, the person's
 * vector and the two deltas that the person may have sent, with the interaction and without. No attacker knows more, so what
 * holds here holds. Each world is played {@link TRIALS} times; the score is the likelihood ratio's direction.
 */
export async function membershipInSum(
  victims: Victims,
  cohort: readonly PersonDelta[],
  epsilon: number,
): Promise<AttackResult[]> {
  const [target, ...others] = cohort as [PersonDelta, ...PersonDelta[]];
  const item = [...target.items].at(-1) as number;
  const { delta: without } = await deltaOf(victims, target.user, item);
  const direction = Float64Array.from(target.delta, (value, i) => value - (without[i] as number));
  const known = Float64Array.from(target.delta, (_, i) =>
    others.reduce((sum, { delta }) => sum + (delta[i] as number), 0),
  );
  const area = (noiseMultiplier: number): number => {
    const scores: number[] = [];
    const labels: number[] = [];
    for (let trial = 0; trial < 2 * TRIALS; trial++) {
      const stream = victims.random.fork('membership', noiseMultiplier, trial);
      const own = trial % 2 === 0 ? target.delta : without;
      const sum = noisySum(victims, [own, ...others.map(({ delta }) => delta)], noiseMultiplier, stream);
      scores.push(dot(sum, direction) - dot(known, direction));
      labels.push(trial % 2 === 0 ? 1 : 0);
    }
    return distance(auc(scores, labels));
  };
  const noiseMultiplier = analyticGaussianSigma(epsilon, DP_DELTA);
  const slack = chanceBound(TRIALS, TRIALS) - 0.5;
  const name = 'membership of an interaction, from the sum, knowing all the rest';
  const statistic = `area under the curve over ${2 * TRIALS} rounds of ${cohort.length} people`;
  return [
    exposed({ name, statistic, value: area(0), bound: CERTAIN }),
    defended({
      name,
      defence: `noise for ε = ${epsilon}, δ = ${DP_DELTA} (multiplier ${noiseMultiplier.toFixed(2)})`,
      statistic,
      value: area(noiseMultiplier),
      bound: Math.min(1, privateBound(epsilon, DP_DELTA) + slack),
    }),
  ];
}
