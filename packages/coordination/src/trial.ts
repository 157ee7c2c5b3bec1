import { fromHex, utf8 } from '@tutti/base';
import type { RoundDescription } from '@tutti/protocol';
import type { ClientId, CryptoSuite } from '@tutti/secure-aggregation';
import type { Summed } from './commit.ts';
import type { TaskHistory } from './history.ts';
import type { Comparison, Judgement } from './journal.ts';
import {
  addSums,
  judge,
  NO_SUMS,
  type JudgedMetric,
  type PairedSums,
  type PromotionPolicy,
} from './judge.ts';
import { channelOf, findModel, manifestsOf, type ModelVersion } from './models.ts';
import type { TaskParts } from './task-parts.ts';

/** A candidate on channel canary that is judged against the incumbent on channel stable. All of it follows from the journal. */
export interface Trial {
  /** Number of the promotion that put the candidate on the channel; what devices find there has to have it. */
  readonly sequence: number;
  /** Hash of its manifest. */
  readonly candidate: string;
  readonly incumbent: string;
  /** What looks came to, the first one first. */
  readonly comparisons: readonly Comparison[];
}

/** What a trial follows from. */
export interface TrialFacts {
  readonly task: string;
  /** Nothing is judged without one. */
  readonly policy: PromotionPolicy | undefined;
  readonly history: TaskHistory;
  readonly crypto: CryptoSuite;
}

/**
 * The trial that is going on: something of the catalogue now was put on canary after the last change of stable, and stable has another
 * model of it. Whatever an operator does to a channel ends it.
 */
export function trialOf({ task, policy, history, crypto }: TrialFacts): Trial | undefined {
  if (policy === undefined) return undefined;
  const { promotions } = history;
  const at = promotions.findLastIndex(({ channel }) => channel === 'canary');
  const entry = promotions[at];
  if (entry?.step !== 'promote' || entry.manifest === null) return undefined;
  if (promotions.findLastIndex(({ channel }) => channel === 'stable') > at) return undefined;
  const models = manifestsOf(task, history, crypto);
  const incumbent = incumbentOf(history, models);
  const candidate = current(history, findModel(models, entry.manifest));
  if (incumbent === undefined || candidate === undefined || incumbent.hash === candidate.hash)
    return undefined;
  const sequence = at + 1;
  return {
    ...{ sequence, candidate: candidate.hash, incumbent: incumbent.hash },
    comparisons: comparisonsOf(history, sequence, policy.metric),
  };
}

/** What is on stable, where devices can rank with it: a model of the catalogue now. */
export function incumbentOf(history: TaskHistory, models: readonly ModelVersion[]): ModelVersion | undefined {
  const named = channelOf(history, 'stable').at(-1);
  return named && current(history, findModel(models, named.manifest));
}

function current({ hashes }: TaskHistory, model: ModelVersion | undefined): ModelVersion | undefined {
  const { layoutHash, catalogueHash } = model?.manifest ?? {};
  return layoutHash === hashes?.layoutHash && catalogueHash === hashes?.catalogueHash ? model : undefined;
}

/** What the looks of a trial came to. Those of another metric, from before a change of the configuration, say nothing of this one. */
export const comparisonsOf = (
  { comparisons }: TaskHistory,
  sequence: number,
  metric: JudgedMetric,
): readonly Comparison[] =>
  comparisons.filter((each) => each.sequence === sequence && each.metric === metric);

/** What the looks so far say of a candidate. */
export function judgementOf(
  { sequence, candidate, incumbent, comparisons }: Trial,
  policy: PromotionPolicy,
): Judgement {
  const sums = comparisons.reduce<PairedSums>(addSums, NO_SUMS);
  const looks = comparisons.length;
  return {
    ...{ sequence, candidate, incumbent, metric: policy.metric, ...judge(policy, sums, looks) },
    ...{ confidence: policy.confidence, people: sums.people, looks },
  };
}

/** How a model was judged, or is: the last time that it was a candidate. */
export function judgementOfModel(facts: TrialFacts, hash: string): Judgement | undefined {
  const trial = trialOf(facts);
  if (facts.policy !== undefined && trial?.candidate === hash) return judgementOf(trial, facts.policy);
  return facts.history.promotions.findLast(({ judged }) => judged?.candidate === hash)?.judged;
}

/**
 * Those of `clients` who are asked at the next look. Where somebody belongs follows from their id, the candidate and a secret of the
 * coordinator: nobody is asked at two looks of one trial, also after a restart, nothing about a device decides it, and no device
 * can choose it.
 */
export function cohortOfTrial(
  { comparisons, candidate }: Trial,
  { canaryShare }: Pick<PromotionPolicy, 'canaryShare'>,
  clients: readonly ClientId[],
  { crypto, keyPair }: Pick<TaskParts['ports'], 'crypto' | 'keyPair'>,
): ClientId[] {
  const look = comparisons.length;
  const key = crypto.digest('canary secret', keyPair.secretKey, fromHex(candidate));
  return clients.filter((client) => {
    const digest = crypto.digest('canary', key, utf8(client));
    const place = new DataView(digest.buffer, digest.byteOffset).getUint32(0, true) / 2 ** 32;
    return Math.floor(place / canaryShare) === look;
  });
}

const LANE: Readonly<Record<JudgedMetric, string>> = { 'hr@10': 'hr10', 'ndcg@10': 'ndcg10' };

/**
 * Lanes of a look: who compared both, and what they gained, lost and squared. The number of the promotion is in their names, so that the
 * signed description says what is compared. Of hits, d² is |d|, and needs no lane.
 */
export function comparisonLanes(metric: JudgedMetric, sequence: number): string[] {
  const lane = (what: string): string => `${LANE[metric]}-${what}-${sequence}`;
  const squared = metric === 'hr@10' ? [] : [lane('squared')];
  return [lane('compared'), lane('gained'), lane('lost'), ...squared];
}

/**
 * What the sum of a look says. Rounding of a person's figure, below one unit of a metric lane, has mean 0. Sums that no people could give,
 * because a device lied, say nothing: the look counts, and nobody in it does.
 */
export function comparisonOf(
  { sequence }: Trial,
  metric: JudgedMetric,
  { update, survivors }: Summed,
  { noise, scale }: Pick<RoundDescription, 'noise' | 'scale'>,
): Comparison {
  const [people = 0, gained = 0, lost = 0, squared = gained + lost] = comparisonLanes(metric, sequence).map(
    (name) => update.metrics[name] ?? 0,
  );
  const variance = noiseVariance(noise, survivors, scale.metric);
  const sums = { people, gained, lost, squared, noise: variance };
  const room = NOISE_TAIL_DEVIATIONS * Math.sqrt(variance) + (2 * survivors) / scale.metric;
  return { sequence, metric, ...(canBe(sums, survivors, room) ? sums : NO_SUMS) };
}

/** Deviations that noise stays within, but for a chance below 1e-14 a lane. */
const NOISE_TAIL_DEVIATIONS = 8;

/** Whether `survivors` people could give these sums, with `room` for the noise and the rounding of each. */
function canBe({ people, gained, lost, squared }: PairedSums, survivors: number, room: number): boolean {
  const rising = [0, squared, gained + lost, people, survivors];
  const inOrder = rising.every((value, at) => at === 0 || value >= (rising[at - 1] as number) - 3 * room);
  return inOrder && Math.min(gained, lost) >= -room;
}

/** Variance of a metric lane's noise in the sum, over 1. */
function noiseVariance(noise: RoundDescription['noise'], survivors: number, unit: number): number {
  if (noise.mechanism === 'none') return 0;
  if (noise.mechanism === 'skellam') return (noise.metricVariance * survivors) / unit ** 2;
  return noise.metricMultiplier ** 2;
}
