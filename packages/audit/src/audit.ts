import { seededRandom, type SeededRandom } from '@tutti/base';
import type { SplitDataset } from '@tutti/datasets';
import { recommended, type LoadedModel, type Model } from '@tutti/model';
import { groupShape, LARGEST_COMPLETE_GRAPH, SMALLEST_COHORTS } from '@tutti/secure-aggregation';
import { recordAttempt, type RecordedAttempt } from './attempt.ts';
import { attributeInference } from './attribute.ts';
import { lyingCoordinator } from './lies.ts';
import { membershipInSum, membershipInVector, membershipOfPerson, type SentVector } from './membership.ts';
import { deltaOf, itemsOf, type PersonDelta, type Victims } from './people.ts';
import { analyticGaussianSigma } from '@tutti/privacy';
import type { Guarantee } from './private-bounds.ts';
import { defaultNoise, regrouping, type NoiseLevel } from './regrouping.ts';
import { roundNoise } from './round-noise.ts';
import type { AttackResult } from './types.ts';
import { wireSideChannels, type WireProbe } from './wire.ts';

/** One model under attack, and the people who train it. */
export interface AuditTarget {
  readonly model: Model;
  /** The checkpoint under attack; attacks on a model that has learned nothing find nothing. */
  readonly loaded: LoadedModel;
  /** The same checkpoint's shared part, which everybody knows. */
  readonly shared: Float32Array;
  readonly data: SplitDataset;
  /** C: L2 norm that every delta is scaled down to. */
  readonly clippingNorm: number;
  /** The noise that a recorded run had, beside the default; absent where none was recorded. */
  readonly recordedNoise?: number;
}

/** What is attacked. */
export interface AuditOptions {
  /** The first is attacked in every way, the others where their family makes a difference. */
  readonly targets: readonly [AuditTarget, ...AuditTarget[]];
  /** A model so small that lying about it takes no time. */
  readonly small: AuditTarget;
  /** Real sockets to look at; left out, nothing is said about them. */
  readonly wire?: WireProbe;
  readonly seed: string | number;
  /** What the attacks under differential privacy are held against. */
  readonly guarantee: Guarantee;
  readonly onAttack?: (done: number, total: number, name: string) => void;
}

/** People of a whole cohort: one group on the complete graph. */
const COHORT = 100;

/** Members of a recorded attempt of the first target, whose masked words are attacked in every way. */
const RECORDED_WHOLE = 64;

const SMALLEST = SMALLEST_COHORTS['semi-honest'];

/** People of the smallest sum that a round can release: the weakest noise, over the fewest. */
const FEWEST = groupShape(SMALLEST, {
  mode: 'semi-honest',
  corruptPermille: 0,
  dropoutPermille: 0,
  largestComplete: LARGEST_COMPLETE_GRAPH,
}).fewestSurvivors;

/** People whose deltas an attacker learns from, and people altogether, at most. */
const ACCOMPLICES = 100;
const MOST_PEOPLE = 300;

/** Members of an attempt that shows what the devices of a family really send. */
const RECORDED = 24;

const ATTACKS = ['deltas', 'regrouping', 'membership', 'attribute', 'side channels', 'lies'] as const;

/** Runs every attack, with and without its defence. @returns what each came to, in a fixed order. */
export async function audit(options: AuditOptions): Promise<AttackResult[]> {
  const { targets, small, wire, guarantee } = options;
  const random = seededRandom(`audit ${options.seed}`);
  const begin = (name: (typeof ATTACKS)[number]): void =>
    options.onAttack?.(ATTACKS.indexOf(name), ATTACKS.length, name);
  begin('deltas');
  const attacked: Attacked[] = [];
  for (const [at, target] of targets.entries()) attacked.push(await prepare(target, at === 0, random));
  const [first] = attacked as [Attacked, ...Attacked[]];
  begin('regrouping');
  const results = attacked.flatMap((each) => regroupings(each, guarantee));
  begin('membership');
  const record = await recordedWith(
    small,
    random,
    analyticGaussianSigma(guarantee.epsilon, guarantee.dpDelta),
  );
  for (const { victims, people, accomplices, sent } of attacked)
    results.push(...membershipInVector(victims, people, accomplices, sent));
  results.push(...(await sums(first, record, guarantee, random)));
  begin('attribute');
  for (const [name, values] of Object.entries(first.data.attributes ?? {}))
    results.push(...attributeInference(first.victims, first.people, first.sent, { name, values }));
  begin('side channels');
  if (wire !== undefined) results.push(...(await wireSideChannels(wire, random.fork('wire'))));
  begin('lies');
  results.push(...(await lyingCoordinator(victimsOf(small, random))));
  options.onAttack?.(ATTACKS.length, ATTACKS.length, 'done');
  return results;
}

/** A target with everybody's deltas, and what devices really sent. */
interface Attacked {
  readonly victims: Victims;
  readonly data: SplitDataset;
  /** Everybody whose delta is known here: the cohort first, accomplices last. */
  readonly people: readonly PersonDelta[];
  readonly accomplices: readonly PersonDelta[];
  readonly sent: readonly SentVector[];
  readonly attempt: RecordedAttempt;
  readonly recordedNoise: number | undefined;
}

const victimsOf = (target: AuditTarget, random: SeededRandom): Victims => ({
  ...target,
  train: target.data.train,
  random: random.fork(target.model.config.family),
});

async function prepare(target: AuditTarget, whole: boolean, random: SeededRandom): Promise<Attacked> {
  const victims = victimsOf(target, random);
  const { users } = target.data;
  const people: PersonDelta[] = [];
  const wanted = Math.min(users, whole ? MOST_PEOPLE : COHORT + ACCOMPLICES);
  for (let user = 0; user < wanted; user++) people.push(await deltaOf(victims, user));
  const attempt = await recordAttempt({
    ...victims,
    people: people
      .slice(0, whole ? RECORDED_WHOLE : RECORDED)
      .map(({ user }) => ({ user, positives: itemsOf(victims, user) })),
    noiseMultiplier: defaultNoise(victims.model.config.family).multiplier,
  });
  const sent = attempt.clients.flatMap(({ user, words }) =>
    words === undefined ? [] : [{ user, words: words.subarray(0, victims.model.layout.length) }],
  );
  const half = Math.min(ACCOMPLICES, Math.floor(people.length / 2));
  return {
    victims,
    data: target.data,
    people,
    accomplices: people.slice(people.length - half),
    sent,
    attempt,
    recordedNoise: target.recordedNoise,
  };
}

/** A whole cohort's exact sum, which is the hardest to take apart; and the smallest sums, with ever more noise. */
function regroupings(
  { victims, data, people, accomplices, recordedNoise }: Attacked,
  guarantee: Guarantee,
): AttackResult[] {
  const victimsOnly = people.slice(0, people.length - accomplices.length);
  const whole = { victims, accomplices, cohorts: [victimsOnly.slice(0, COHORT)] };
  const smallest = { victims, accomplices, cohorts: chunks(victimsOnly.slice(0, COHORT), FEWEST) };
  const usual = defaultNoise(victims.model.config.family);
  // The default is a part of the clipping norm that goes with it: of a tighter one it is another noise, which nobody runs.
  const levels: (NoiseLevel | undefined)[] = [undefined, ...(clipsAsUsual(victims, data) ? [usual] : [])];
  if (recordedNoise !== undefined && recordedNoise > 0 && recordedNoise !== usual.multiplier)
    levels.push({
      multiplier: recordedNoise,
      label: `noise of the recorded run (multiplier ${recordedNoise})`,
    });
  const { epsilon, dpDelta } = guarantee;
  levels.push({
    multiplier: analyticGaussianSigma(epsilon, dpDelta),
    label: `noise for ε = ${epsilon}, δ = ${dpDelta}`,
  });
  return [regrouping(whole, undefined), ...levels.map((level) => regrouping(smallest, level))].flatMap(
    (result) => result ?? [],
  );
}

/** Whether updates are clipped as they are where nothing else is asked for. */
function clipsAsUsual({ model, clippingNorm }: Victims, { items, users, train }: SplitDataset): boolean {
  const usual = recommended(model.config, { items, meanHistory: train.values.length / users }).clippingNorm;
  return Math.abs(clippingNorm / usual - 1) < 1e-9;
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.floor(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
}

/** Attacks on sums: of an interaction, of a person, and on the noise that a real round had. */
async function sums(
  { victims, people, attempt }: Attacked,
  recorded: RecordedAttempt,
  guarantee: Guarantee,
  random: SeededRandom,
): Promise<AttackResult[]> {
  const multiplier = analyticGaussianSigma(guarantee.epsilon, guarantee.dpDelta);
  return [
    ...(await membershipInSum(victims, people[0] as PersonDelta, guarantee, multiplier)),
    ...(recorded.description === undefined
      ? []
      : membershipOfPerson(recorded.description, guarantee, random.fork('person'))),
    ...roundNoise(attempt, people),
  ];
}

/** An attempt of the smallest cohort on a small model, for what it says of the noise. */
function recordedWith(
  small: AuditTarget,
  random: SeededRandom,
  noiseMultiplier: number,
): Promise<RecordedAttempt> {
  const victims = victimsOf(small, random);
  const people = Array.from({ length: SMALLEST }, (_, user) => ({
    user,
    positives: itemsOf(victims, user),
  }));
  return recordAttempt({ ...victims, people, noiseMultiplier });
}
