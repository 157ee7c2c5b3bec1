import { addSkellamNoise, normalCdf } from '@tutti/privacy';
import type { RoundDescription } from '@tutti/protocol';
import { shareInterval } from './binomial.ts';
import { deltaOf, dot, noisyLanes, norm, rowOf, scaleFor, type PersonDelta, type Victims } from './people.ts';
import {
  asReplacement,
  largestAdvantage,
  largestArea,
  largestTruePositiveRate,
  type Guarantee,
} from './private-bounds.ts';
import {
  auc,
  chanceBound,
  DEVIATIONS,
  distance,
  FALSE_ALARM,
  meanOf,
  rocCurve,
  truePositiveRateAt,
} from './statistics.ts';
import { defended, exposed, type AttackResult } from './types.ts';

/** How surely an attack without a defence must succeed to count as one. */
const CERTAIN = 0.95;

/** The false positive rate at which attacks are compared (Carlini et al., S&P 2022). */
const RARE = 0.01;

/** Items of each kind that a person is asked about. */
const ITEMS_EACH = 10;

/** What one client sends, as the coordinator receives it: the delta lanes. */
export interface SentVector {
  readonly user: number;
  readonly words: Uint32Array;
}

/**
 * Membership of an interaction in one client's vector: the likelihood ratio of how long a row is, which the attacker calibrates on
 * accomplices, for rows that a person touched and that they did not. Once on what would be sent without masks, and once on the masked
 * words that a device really sent.
 */
export function membershipInVector(
  victims: Victims,
  people: readonly PersonDelta[],
  accomplices: readonly PersonDelta[],
  sent: readonly SentVector[],
): AttackResult[] {
  const family = victims.model.config.family;
  const name = `membership of an interaction, from one client’s vector (${family})`;
  const ratio = calibrated(victims, accomplices);
  const vectorOf = new Map(sent.map(({ user, words }) => [user, Float64Array.from(words, toUnit)]));
  const attack = (of: (person: PersonDelta) => Float32Array | Float64Array | undefined) => {
    const asked = people.flatMap((person) => {
      const vector = of(person);
      return vector === undefined ? [] : questions(victims, person, vector);
    });
    const scores = asked.map(({ length }) => ratio(length));
    const labels = asked.map(({ label }) => label);
    const positives = labels.filter((label) => label === 1).length;
    return {
      value: auc(scores, labels),
      roc: rocCurve(scores, labels),
      chance: chanceBound(positives, labels.length - positives),
      statistic: `area under the curve for "this person touched this item", ${labels.length} questions`,
      figures: { truePositivesAt1Percent: truePositiveRateAt(scores, labels, RARE) },
    };
  };
  const { chance: _, ...plain } = attack(({ delta }) => delta);
  const { chance, ...masked } = attack(({ user }) => vectorOf.get(user));
  return [
    exposed({ name, ...plain, bound: CERTAIN }),
    defended({
      name,
      defence: 'masks',
      ...masked,
      statistic: `${masked.statistic}; false alarms below ${FALSE_ALARM}`,
      value: distance(masked.value),
      bound: chance,
    }),
  ];
}

/** A masked word as a number around 0: the attacker knows the scale of the ring. */
const toUnit = (word: number): number => (word | 0) / 2 ** 31;

interface Question {
  readonly label: 0 | 1;
  /** ln of the row's length, relative to the whole. */
  readonly length: number;
}

/** Rows that the person touched, and as many that they did not, drawn evenly. */
function questions(
  { model, random }: Victims,
  { user, items }: PersonDelta,
  vector: Float32Array | Float64Array,
): Question[] {
  const stream = random.fork('questions', user);
  const own = [...items];
  const whole = norm(vector);
  const ask = (item: number, label: 0 | 1): Question => ({
    label,
    length: Math.log(norm(rowOf(model, vector as Float64Array, item)) / whole + 1e-12),
  });
  const other = (): number => {
    for (;;) {
      const item = stream.int(model.items);
      if (!items.has(item)) return item;
    }
  };
  return Array.from({ length: ITEMS_EACH }, () => [
    ask(own[stream.int(own.length)] as number, 1),
    ask(other(), 0),
  ]).flat();
}

/** ln of the ratio of two normal densities, fitted on accomplices (the parametric attack of Carlini et al.). */
function calibrated(victims: Victims, accomplices: readonly PersonDelta[]): (length: number) => number {
  const seen = accomplices.flatMap((person) => questions(victims, person, person.delta));
  const fit = (label: 0 | 1) => {
    const lengths = seen.filter((question) => question.label === label).map(({ length }) => length);
    const { mean, deviation } = meanOf(lengths);
    return { mean, spread: Math.max(1e-6, deviation * Math.sqrt(lengths.length)) };
  };
  const [out, own] = [fit(0), fit(1)];
  const logDensity = (x: number, { mean, spread }: { mean: number; spread: number }): number =>
    -(((x - mean) / spread) ** 2) / 2 - Math.log(spread);
  // A row longer than any that was seen is no less a member's.
  return (length) => {
    const x = Math.min(length, own.mean);
    return logDensity(x, own) - logDensity(x, out) + Math.max(0, length - own.mean);
  };
}

/** Times that each world is played: with a person's whole delta, and with a canary's few lanes. */
const TRIALS = 500;
const CANARY_TRIALS = 20_000;

/** Lanes that hold a canary's whole delta. */
const CANARY_LANES = 16;

/**
 * Membership of an interaction in a round's sum, by an attacker that knows everything else: all other deltas, which it takes away,
 * and the two deltas that the person may have sent, with the interaction and without. No attacker knows more.
 *
 * The person takes part in both worlds, each delta within C of nothing: the worlds are at most 2/z deviations apart.
 */
export async function membershipInSum(
  victims: Victims,
  target: PersonDelta,
  guarantee: Guarantee,
  noiseMultiplier: number,
): Promise<AttackResult[]> {
  const item = [...target.items].at(-1) as number;
  const { delta: without } = await deltaOf(victims, target.user, item);
  const whole = Float32Array.from(target.delta, (value, i) => value - (without[i] as number));
  const lanes = tellingLanes(whole);
  const inLanes = (vector: Float32Array): Float32Array =>
    Float32Array.from(lanes, (lane) => vector[lane] as number);
  const [direction, member, other] = [inLanes(whole), inLanes(target.delta), inLanes(without)];
  const play = (multiplier: number): Worlds => {
    const scale = scaleFor(victims, 1, multiplier > 0);
    return played(TRIALS, (trial, isMember) => {
      const stream = victims.random.fork('membership', multiplier, trial, isMember ? 1 : 0);
      const stddev = multiplier * victims.clippingNorm;
      return dot(noisyLanes(scale, [isMember ? member : other], stddev, stream), direction);
    });
  };
  return inBothWorlds({
    name: 'membership of an interaction, from the sum, knowing all the rest',
    sample: `${2 * TRIALS} sums`,
    guarantee: asReplacement(guarantee),
    allowed: 2 * normalCdf(1 / noiseMultiplier) - 1,
    defence: noiseFor(guarantee, noiseMultiplier),
    plain: play(0),
    noisy: play(noiseMultiplier),
  });
}

/** Share of a difference's square that lies in the lanes which are looked at: the rest would tell next to nothing more. */
const TELLING = 0.999;

/** The lanes that a difference lies in, largest first. */
function tellingLanes(difference: Float32Array): Uint32Array {
  const order = Uint32Array.from(difference, (_, lane) => lane).sort(
    (a, b) => Math.abs(difference[b] as number) - Math.abs(difference[a] as number),
  );
  const wanted = TELLING * dot(difference, difference);
  let [held, count] = [0, 0];
  while (held < wanted && count < order.length) held += (difference[order[count++] as number] as number) ** 2;
  return order.subarray(0, Math.max(1, count));
}

/**
 * Membership of a person: a canary with the largest delta that clipping allows takes part, or does not. The noise is what devices
 * of a real round add, each its part, over the fewest survivors that there can be: the weakest that is ever released.
 *
 * The last result is sharp: two normal worlds are 1/z deviations apart, and noise that is weaker than it is accounted as shows.
 */
export function membershipOfPerson(
  description: RoundDescription,
  guarantee: Guarantee,
  random: Victims['random'],
): AttackResult[] {
  const { noise, scale, clippingNorm, cohort } = description;
  if (noise.mechanism !== 'skellam') return [];
  const devices = noise.survivors;
  const canary = (clippingNorm * scale.delta) / Math.sqrt(CANARY_LANES);
  const play = (variance: number): Worlds =>
    played(CANARY_TRIALS, (trial, member) => {
      const stream = random.fork('canary', variance, trial, member ? 1 : 0);
      const lanes = new Uint32Array(CANARY_LANES);
      for (let device = 0; device < devices && variance > 0; device++)
        addSkellamNoise(lanes, 0, CANARY_LANES, variance, stream);
      let score = member ? canary * CANARY_LANES : 0;
      for (const lane of lanes) score += lane | 0;
      return score;
    });
  const noisy = play(noise.deltaVariance);
  const sample = `${2 * CANARY_TRIALS} sums over ${devices} devices, the fewest of a cohort of ${cohort.planned}`;
  return [
    ...inBothWorlds({
      name: 'membership of a person (a canary with the largest delta), from the sum',
      sample,
      guarantee,
      allowed: largestAdvantage(guarantee),
      defence: noiseFor(guarantee, noise.multiplier),
      plain: play(0),
      noisy,
    }),
    separation(noisy, noise.multiplier, sample),
  ];
}

const noiseFor = ({ epsilon, dpDelta }: Guarantee, multiplier: number): string =>
  `noise for ε = ${Number(epsilon.toPrecision(4))}, δ = ${dpDelta} (multiplier ${multiplier.toPrecision(3)})`;

/** Scores of both worlds, each as often. */
interface Worlds {
  readonly members: readonly number[];
  readonly others: readonly number[];
}

function played(trials: number, score: (trial: number, member: boolean) => number): Worlds {
  const play = (member: boolean): number[] =>
    Array.from({ length: trials }, (_, trial) => score(trial, member));
  return { members: play(true), others: play(false) };
}

interface BothWorlds {
  readonly name: string;
  readonly sample: string;
  readonly guarantee: Guarantee;
  /** Largest advantage that there can be. */
  readonly allowed: number;
  readonly defence: string;
  readonly plain: Worlds;
  readonly noisy: Worlds;
}

/** The attack without noise, which must succeed, and with it, which the guarantee bounds. */
function inBothWorlds({
  name,
  sample,
  guarantee,
  allowed,
  defence,
  plain,
  noisy,
}: BothWorlds): AttackResult[] {
  const exact = advantage(plain);
  const private_ = advantage(noisy);
  const scores = [...noisy.members, ...noisy.others];
  const labels = scores.map((_, i) => (i < noisy.members.length ? 1 : 0));
  const half = Math.ceil(noisy.members.length / 2);
  const slack = DEVIATIONS * Math.sqrt(0.5 / half);
  const statistic = `advantage (true less false positives) at a threshold chosen on other trials; ${sample}`;
  return [
    exposed({ name, statistic, value: exact.value, bound: CERTAIN }),
    defended({
      name,
      defence,
      statistic: `${statistic}; the noise allows ${allowed.toFixed(3)}, five deviations ${slack.toFixed(3)}: false alarms below ${FALSE_ALARM}`,
      value: private_.value,
      bound: Math.min(1, allowed + slack),
      interval: private_.interval,
      roc: rocCurve(scores, labels),
      figures: {
        truePositivesAt1Percent: truePositiveRateAt(scores, labels, RARE),
        truePositivesAt1PercentAllowed: largestTruePositiveRate(guarantee, RARE),
        area: auc(scores, labels),
        areaAllowed: largestArea(guarantee),
        epsilonAtLeast: leastEpsilon(private_, guarantee.dpDelta),
        epsilon: guarantee.epsilon,
      },
    }),
  ];
}

interface Advantage {
  readonly value: number;
  readonly interval: readonly [low: number, high: number];
  readonly truePositives: readonly [low: number, high: number];
  readonly falsePositives: readonly [low: number, high: number];
}

/** TPR − FPR at the threshold that was best on the first half of the trials, counted on the second. */
function advantage({ members, others }: Worlds): Advantage {
  const half = Math.floor(members.length / 2);
  const threshold = bestThreshold(members.slice(0, half), others.slice(0, half));
  const count = (scores: readonly number[]): number =>
    scores.slice(half).filter((score) => score >= threshold).length;
  const trials = members.length - half;
  const [hits, alarms] = [count(members), count(others)];
  // Four limits are drawn, so each is wrong with a quarter of the chance.
  const truePositives = shareInterval(hits, trials, FALSE_ALARM / 4);
  const falsePositives = shareInterval(alarms, trials, FALSE_ALARM / 4);
  return {
    value: (hits - alarms) / trials,
    interval: [truePositives[0] - falsePositives[1], truePositives[1] - falsePositives[0]],
    truePositives,
    falsePositives,
  };
}

function bestThreshold(members: readonly number[], others: readonly number[]): number {
  const all = [
    ...members.map((score) => ({ score, step: 1 })),
    ...others.map((score) => ({ score, step: -1 })),
  ].sort((a, b) => b.score - a.score);
  let [gain, best, threshold] = [0, 0, Number.POSITIVE_INFINITY];
  for (const { score, step } of all) {
    gain += step;
    if (gain > best) [best, threshold] = [gain, score];
  }
  return threshold;
}

/** What the trials alone prove of ε, at the confidence of the limits: TPR ≤ e^ε·FPR + δ turned around. */
function leastEpsilon({ truePositives, falsePositives }: Advantage, dpDelta: number): number {
  const [low] = truePositives;
  const [, high] = falsePositives;
  return low <= dpDelta ? 0 : Math.max(0, Math.log((low - dpDelta) / high));
}

/** How many deviations apart the two worlds are: at most 1/z, or the noise is weaker than it is accounted as. */
function separation({ members, others }: Worlds, multiplier: number, sample: string): AttackResult {
  const [a, b] = [meanOf(members), meanOf(others)];
  const deviation = b.deviation * Math.sqrt(others.length);
  const value = (a.mean - b.mean) / deviation;
  // The means have deviation √(2/n) of the worlds' own, and the deviation itself √(1/2n) of what is measured.
  const error = DEVIATIONS * Math.sqrt((2 + value ** 2 / 2) / others.length);
  return defended({
    name: 'noise of the sum that is weaker than it is accounted as',
    defence: `each device’s part of the noise (multiplier ${multiplier.toPrecision(3)})`,
    statistic: `deviations between sums with and without the canary; ${sample}; 1/z = ${(1 / multiplier).toPrecision(4)}, five deviations ${error.toPrecision(2)}: false alarms below ${FALSE_ALARM}`,
    value,
    bound: 1 / multiplier + error,
    interval: [value - error, value + error],
  });
}
