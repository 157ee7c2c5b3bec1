import type { SeededRandom } from '@tutti/base';
import { defaultNoiseMultiplier, type ModelConfig } from '@tutti/model';
import { dot, itemTable, noisySum, norm, rowOf, type PersonDelta, type Victims } from './people.ts';
import { exactPull, noisyPull, withoutPull, type Pull } from './pull.ts';
import { learnSamePerson, type SamePersonTest } from './same-person.ts';
import { auc, DEVIATIONS, meanOf, ranksOf, rocCurve, shuffleInPlace } from './statistics.ts';
import { defended, exposed, type AttackResult, type RocPoint } from './types.ts';

/** What the attacker must reach without noise, and stay below with it (secure-aggregation.md §6). */
const WITHOUT_NOISE = 0.99;
const WITH_NOISE = 0.6;

/** Rows of one sum that are compared, at most: some eighty thousand pairs. */
const MOST_ROWS = 400;

/** Fewer pairs of one person than this say nothing, and the attack is left out. */
const FEWEST_PAIRS = 100;

/** Chances below ten to the minus this are called no smaller: what is left is not chance. */
const MOST_CERTAIN = 12;

/** Times that owners are dealt anew, to see how far guessing strays. */
const DEALS = 40;

/** Whose sums are attacked. */
export interface RegroupingCase {
  readonly victims: Victims;
  /** Cohorts whose sums are attacked, one after another. */
  readonly cohorts: readonly (readonly PersonDelta[])[];
  /** People whom the attacker may ask to take part, and learns from: none of them is in a cohort. */
  readonly accomplices: readonly PersonDelta[];
}

/** How much noise, and how the result calls it. */
export interface NoiseLevel {
  readonly multiplier: number;
  readonly label: string;
}

/** The noise that is on unless another is asked for. */
export function defaultNoise(family: ModelConfig['family']): NoiseLevel {
  const multiplier = defaultNoiseMultiplier(family);
  return {
    multiplier,
    label: `noise of ${Number((100 * multiplier).toPrecision(6))} % of the clipping norm (the default)`,
  };
}

/**
 * Regrouping: a row of the item table that one person alone moved lies along that person's vector, so such rows of an exact sum
 * can be sorted back into persons. Two attackers try: one takes the angle between two rows, the other the likelihood ratio that
 * it learned from accomplices ({@link learnSamePerson}); both first take away what everybody adds ({@link Pull}). The stronger
 * one's area under the curve for "same person" counts. Which rows one person alone moved is told to them.
 */
export function regrouping(
  { victims, cohorts, accomplices }: RegroupingCase,
  noise: NoiseLevel | undefined,
): AttackResult | undefined {
  const sums = cohorts
    .map((cohort) => loneRows(victims, cohort))
    .filter(({ owners }) => samePairs(owners) >= FEWEST_PAIRS);
  if (sums.length === 0) return undefined;
  const attacker = attackerFor(victims, accomplices, noise?.multiplier ?? 0);
  const attacks = sums.map((sum, at) => attacked(victims, sum, attacker, at));
  const byAngle = meanOf(attacks.map(({ angle }) => angle));
  const byRatio = meanOf(attacks.map(({ ratio }) => ratio));
  const [best, { mean, deviation }] =
    byAngle.mean > byRatio.mean ? (['angle', byAngle] as const) : (['likelihood ratio', byRatio] as const);
  const guessing = Math.sqrt(meanOf(attacks.map(({ chance }) => chance ** 2)).mean / attacks.length);
  const rows = sums.reduce((count, { owners }) => count + owners.length, 0);
  const size = cohorts[0]?.length ?? 0;
  const common = {
    name: `regrouping rows of the sum by person (${victims.model.config.family}, ${size} people)`,
    statistic:
      `area under the curve for "two rows of one person", by ${best}; ${rows} rows of ${attacks.length} ` +
      `${attacks.length === 1 ? 'sum' : 'sums'} of ${size} people; guessing: 0.5 ± ${guessing.toPrecision(2)}, ` +
      `${falseAlarm((WITH_NOISE - 0.5) / guessing)}`,
    value: mean,
    ...(attacks.length > 1
      ? { interval: [mean - DEVIATIONS * deviation, mean + DEVIATIONS * deviation] as const }
      : {}),
    roc: attacks[0]?.roc ?? [],
    figures: {
      rows,
      angle: byAngle.mean,
      likelihoodRatio: byRatio.mean,
      guessingDeviation: guessing,
      noiseMultiplier: noise?.multiplier ?? 0,
    },
  };
  return noise === undefined
    ? exposed({ ...common, bound: WITHOUT_NOISE })
    : defended({ ...common, defence: noise.label, bound: WITH_NOISE });
}

/** The chance that guessing passes a bound so many deviations away, for two attackers. */
function falseAlarm(deviations: number): string {
  const exponent = Math.min(MOST_CERTAIN, Math.floor((deviations * deviations) / 2 / Math.LN10));
  return `false alarms below 1e-${Math.max(1, exponent)}`;
}

interface LoneRows {
  readonly cohort: readonly PersonDelta[];
  readonly items: readonly number[];
  /** Who moved each row, as a place in the cohort. */
  readonly owners: readonly number[];
}

/** Item rows that one person of the cohort alone moved, because they touched the item; at most {@link MOST_ROWS}, drawn evenly. */
function loneRows({ random }: Victims, cohort: readonly PersonDelta[]): LoneRows {
  const owner = new Map<number, number>();
  cohort.forEach(({ touched }, at) => {
    for (const item of touched) owner.set(item, owner.has(item) ? -1 : at);
  });
  const lone = [...owner].filter(([item, at]) => at >= 0 && cohort[at]?.items.has(item) === true);
  shuffleInPlace(lone, random.fork('lone rows', cohort[0]?.user ?? 0));
  const chosen = lone.slice(0, MOST_ROWS);
  return { cohort, items: chosen.map(([item]) => item), owners: chosen.map(([, at]) => at) };
}

function samePairs(owners: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum + (count * (count - 1)) / 2, 0);
}

/** What the attacker learned from accomplices, for sums with this much noise. */
interface Attacker {
  readonly multiplier: number;
  readonly noiseVariance: number;
  /** What one person adds to every row, on average: known exactly, since nothing hides accomplices' deltas. */
  readonly pull: Pull;
  readonly test: SamePersonTest;
}

function attackerFor(victims: Victims, accomplices: readonly PersonDelta[], multiplier: number): Attacker {
  const { model, clippingNorm } = victims;
  const noiseVariance = (multiplier * clippingNorm) ** 2;
  const sum = new Float64Array(model.layout.length);
  for (const { delta } of accomplices)
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (delta[i] as number);
  const rows = accomplices.map(({ items, delta }) => [...items].map((item) => rowOf(model, delta, item)));
  return {
    multiplier,
    noiseVariance,
    pull: exactPull(victims, accomplices, sum).map((value) => value / accomplices.length),
    test: learnSamePerson(rows, itemTable(model).width, noiseVariance),
  };
}

/** Both attackers' areas on one sum, and the deviation of the area when owners are dealt anew. */
function attacked(
  victims: Victims,
  { cohort, items, owners }: LoneRows,
  { multiplier, noiseVariance, pull: one, test }: Attacker,
  at: number,
): { angle: number; ratio: number; chance: number; roc: RocPoint[] } {
  const { random } = victims;
  const deltas = cohort.map(({ delta }) => delta);
  const sum = noisySum(victims, deltas, multiplier, random.fork('regrouping', multiplier, cohort.length, at));
  const expected = one.map((value) => value * cohort.length);
  const pull =
    multiplier === 0
      ? exactPull(victims, cohort, sum)
      : noisyPull(victims, cohort, sum, { expected, noiseVariance });
  const rows = items.map((item) => withoutPull(victims, sum, item, pull));
  const projected = rows.map((row) => test.project(row));
  const ratios = pairs(projected, (a, b) => test.compare(a, b));
  const angles = pairs(rows, (a, b) => dot(a, b) / Math.max(norm(a) * norm(b), Number.MIN_VALUE));
  const labels = pairs(owners, sameOwner);
  return {
    angle: auc(angles, labels),
    ratio: auc(ratios, labels),
    chance: spreadOfGuessing(ratios, owners, random.fork('deal', at)),
    roc: rocCurve(ratios, labels),
  };
}

const sameOwner = (a: number, b: number): number => (a === b ? 1 : 0);

/** The deviation of the area when the rows' owners are dealt anew: pairs depend on each other, so no formula for pairs holds. */
function spreadOfGuessing(
  scores: readonly number[],
  owners: readonly number[],
  random: SeededRandom,
): number {
  const ranks = ranksOf(scores);
  const dealt = [...owners];
  const guesses = Array.from({ length: DEALS }, () => {
    shuffleInPlace(dealt, random);
    return areaOfOwners(ranks, dealt);
  });
  return meanOf(guesses).deviation * Math.sqrt(DEALS);
}

/** {@link auc} of pairs in the order of {@link pairs}, without a list of them. */
function areaOfOwners(ranks: Float64Array, owners: readonly number[]): number {
  let [rankSum, same, at] = [0, 0, 0];
  for (let i = 0; i < owners.length; i++)
    for (let j = 0; j < i; j++, at++) {
      if (owners[i] !== owners[j]) continue;
      rankSum += ranks[at] as number;
      same++;
    }
  return (rankSum - (same * (same + 1)) / 2) / (same * (at - same));
}

function pairs<T, R>(list: readonly T[], of: (a: T, b: T) => R): R[] {
  const out: R[] = [];
  list.forEach((a, i) => {
    for (let j = 0; j < i; j++) out.push(of(a, list[j] as T));
  });
  return out;
}
