import { FLAG, numberFrom, oneOf, UsageError, wholeFrom, wrongFields, type Rule } from '@tutti/base';
import { LARGEST_NOISE_VARIANCE } from '@tutti/privacy';
import { laneSensitivities, type DeclineReason, type RoundDescription, type TaskInfo } from '@tutti/protocol';
import { MODES, smallestGroup, SMALLEST_COHORTS, type Mode } from '@tutti/secure-aggregation';
import {
  ALLOWED_IDENTITY,
  DEFAULT_IDENTITY_POLICY,
  identityPolicyProblems,
  identityReason,
  type IdentityPolicy,
} from './identity-policy.ts';
import { ownEpsilon, participationsOf } from './own-epsilon.ts';
import { partOf, type DeviceLedger } from './part.ts';

/** What a device asks of a round before it takes part. */
export interface Policy extends IdentityPolicy {
  /** Fewest clients in a group; below 16, where masks do not protect, only beside `insecureSmallCohort`. */
  readonly smallestCohort: number;
  /** Weakest mode: with `active`, a coordinator that lies about who dropped out is refused too. */
  readonly mode: Mode;
  /** Share of a group, in thousandths, that must be able to collude without harm: what a sparse graph holds against. */
  readonly leastCorruptPermille: number;
  /** Allows a smallest cohort below 16: for tests and simulations. */
  readonly insecureSmallCohort: boolean;
  /** Largest clipping norm: bounds what one device can add. */
  readonly largestClippingNorm: number;
  /** Least noise multiplier of the sum over the fewest survivors there can be, of every lane that is released. */
  readonly leastNoiseMultiplier: number;
  /** Whether an attempt without masks is acceptable: in simulations only. */
  readonly allowPlain: boolean;
  /** Whether noise that the coordinator adds counts: this device cannot see that it does, and its sum is known without it. */
  readonly trustCoordinatorNoise: boolean;
  /** Noise of its own that this device adds whatever it is asked for: standard deviation over the clipping norm; 0 for none. */
  readonly localNoiseMultiplier: number;
  /** ε that this device spends at most, by its own count; infinity for no limit. */
  readonly epsilonBudget: number;
  /** δ that it counts at. */
  readonly dpDelta: number;
  /** Attempts that it sends an input to at most, over its life in this task; infinity for no limit. */
  readonly participationCap: number;
  /** Members of its group that it assumes to add no noise. */
  readonly assumedColluders: number;
}

/** What a device asks unless its app asks for more. */
export const DEFAULT_POLICY: Policy = {
  ...DEFAULT_IDENTITY_POLICY,
  smallestCohort: SMALLEST_COHORTS['semi-honest'],
  mode: 'semi-honest',
  leastCorruptPermille: 50,
  insecureSmallCohort: false,
  largestClippingNorm: 1_000,
  leastNoiseMultiplier: 0,
  allowPlain: false,
  trustCoordinatorNoise: false,
  localNoiseMultiplier: 0,
  epsilonBudget: Number.POSITIVE_INFINITY,
  dpDelta: 1e-5,
  participationCap: Number.POSITIVE_INFINITY,
  assumedColluders: 0,
};

const ABOVE_0: Rule = [(value) => typeof value === 'number' && value > 0, 'a number above 0'];

/** What each field of a policy may be. */
const ALLOWED: Readonly<Record<keyof Policy, Rule>> = {
  smallestCohort: wholeFrom(2),
  largestClippingNorm: ABOVE_0,
  leastNoiseMultiplier: numberFrom(0),
  mode: oneOf(MODES),
  leastCorruptPermille: wholeFrom(0, 333),
  insecureSmallCohort: FLAG,
  allowPlain: FLAG,
  trustCoordinatorNoise: FLAG,
  localNoiseMultiplier: numberFrom(0),
  epsilonBudget: ABOVE_0,
  dpDelta: [(value) => typeof value === 'number' && value > 0 && value < 1, 'a number between 0 and 1'],
  participationCap: numberFrom(0),
  assumedColluders: wholeFrom(0),
  ...ALLOWED_IDENTITY,
};

/**
 * The default policy with what an app asks for instead.
 * @throws {UsageError} naming every field that is unknown or out of range, with what it may be.
 */
export function resolvePolicy(asked: Partial<Policy> = {}): Policy {
  const problems = wrongFields(asked, ALLOWED).map(([name, value, words]) =>
    words === undefined
      ? `policy.${name} is not known; there are ${Object.keys(ALLOWED).join(', ')}`
      : `policy.${name} is ${String(value)}; ${words} is needed`,
  );
  const least = SMALLEST_COHORTS[asked.mode ?? DEFAULT_POLICY.mode] ?? SMALLEST_COHORTS.active;
  const policy = { ...DEFAULT_POLICY, smallestCohort: least, ...asked };
  if (policy.smallestCohort < least && !policy.insecureSmallCohort)
    problems.push(
      `policy.smallestCohort is ${policy.smallestCohort}; below ${least} masks do not protect (set insecureSmallCohort to override)`,
    );
  problems.push(...identityPolicyProblems(policy));
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return policy;
}

/** What float arithmetic may lose between coordinator and device. */
const ROUNDING = 1e-9;

/** The policy's answer to a description: the reason not to take part, or nothing. */
export function declineReason(
  policy: Policy,
  task: TaskInfo,
  description: RoundDescription,
  lastAttempt: number,
): DeclineReason | undefined {
  const { cohort, protection, clippingNorm } = description;
  if (description.task !== task.task || description.attempt <= lastAttempt) return 'stale-description';
  if (description.layoutHash !== task.layoutHash || description.catalogueHash !== task.catalogueHash)
    return 'wrong-model';
  if (protection === 'plain' && !policy.allowPlain) return 'plain-refused';
  if (MODES.indexOf(description.mode) < MODES.indexOf(policy.mode)) return 'mode-too-weak';
  if (description.graph.corruptPermille < policy.leastCorruptPermille) return 'mode-too-weak';
  const stranger = identityReason(policy, description);
  if (stranger !== undefined) return stranger;
  if (cohort.smallest > cohort.planned) return 'cohort-too-small';
  if (cohort.smallest < policy.smallestCohort || cohort.largestGroup < policy.smallestCohort)
    return 'cohort-too-small';
  if (clippingNorm > policy.largestClippingNorm) return 'clip-too-large';
  if (isCentral(description) && !policy.trustCoordinatorNoise) return 'central-noise-refused';
  if (isTooQuiet(policy, description) || !fitsRing(policy, description)) return 'noise-too-weak';
  return undefined;
}

const isCentral = ({ noise }: RoundDescription): boolean =>
  noise.mechanism !== 'none' && noise.mechanism !== 'skellam';

/**
 * The policy's answer from the device's own ledger: whether one part more, or one so soon, is more than it or the description
 * allows. A description's cap is what the coordinator's ε is counted with; the device keeps to it itself.
 */
export function budgetReason(
  policy: Policy,
  description: RoundDescription,
  state: DeviceLedger,
): DeclineReason | undefined {
  const { participation, round, purpose } = description;
  const most = Math.min(policy.participationCap, participation?.most ?? Number.POSITIVE_INFINITY);
  if (participationsOf(state) >= most) return 'privacy-budget-spent';
  const early = state.lastRound > 0 && round - state.lastRound < (participation?.separation ?? 1);
  if (participation !== undefined && purpose === 'train' && early) return 'privacy-budget-spent';
  if (policy.epsilonBudget === Number.POSITIVE_INFINITY) return undefined;
  const account = { dpDelta: policy.dpDelta, colluders: policy.assumedColluders };
  const next = partOf(description, ownDeltaVariance(policy, description));
  return ownEpsilon(state, account, next) > policy.epsilonBudget ? 'privacy-budget-spent' : undefined;
}

/** Variance of the noise that this device puts on each delta lane: its part of the sum's, or its own floor where that is more. */
export function ownDeltaVariance({ localNoiseMultiplier }: Policy, description: RoundDescription): number {
  const { noise } = description;
  const asked = noise.mechanism === 'skellam' ? noise.deltaVariance : 0;
  const { delta = 0 } = laneSensitivities(description);
  return Math.max(asked, (localNoiseMultiplier * delta) ** 2);
}

/** Deviations that noise stays within, but for a chance below 1e-14 a lane. */
const NOISE_TAIL_DEVIATIONS = 8;

/** Whether the ring has room for what this device would add, did every other member of its group add as much. */
function fitsRing(policy: Policy, description: RoundDescription): boolean {
  const { scale, clippingNorm, cohort, wordBits } = description;
  const variance = ownDeltaVariance(policy, description);
  const members = Math.min(cohort.planned, cohort.largestGroup);
  const sum =
    members * (clippingNorm * scale.delta + 1) + NOISE_TAIL_DEVIATIONS * Math.sqrt(members * variance);
  return variance <= LARGEST_NOISE_VARIANCE && sum < 2 ** (wordBits - 1);
}

/**
 * Whether this device's own part of the noise is less than the policy asks for, or than the description says: what a
 * coordinator calls its noise multiplier protects nobody, what each device adds does. The delta is noised for what it can be
 * after rounding, which on a coarse scale is far more than C; every lane that is released counts, and row counts carry no noise.
 */
function isTooQuiet(
  { leastNoiseMultiplier, assumedColluders }: Policy,
  description: RoundDescription,
): boolean {
  const { noise, cohort, scale, lanes } = description;
  if (noise.mechanism === 'none') return leastNoiseMultiplier > 0;
  if (leastNoiseMultiplier > 0 && lanes.rowCounts > 0) return true;
  if (noise.mechanism !== 'skellam')
    return (
      Math.min(
        noise.multiplier,
        lanes.metrics.length > 0 ? noise.metricMultiplier : Number.POSITIVE_INFINITY,
      ) < leastNoiseMultiplier
    );
  if (noise.survivors > smallestGroup(cohort)) return true;
  const noisy = noise.survivors - assumedColluders;
  if (noisy < 1) return leastNoiseMultiplier > 0;
  const isBelow = (variance: number, multiplier: number, sensitivity: number): boolean =>
    variance < ((multiplier * sensitivity) ** 2 / noisy) * (1 - ROUNDING);
  const { delta, clip } = laneSensitivities(description);
  const claimed = Math.max(leastNoiseMultiplier, assumedColluders > 0 ? 0 : noise.multiplier);
  if (delta !== undefined && isBelow(noise.deltaVariance, claimed, delta)) return true;
  if (clip !== undefined && isBelow(noise.clipVariance, leastNoiseMultiplier, clip)) return true;
  return lanes.metrics.length > 0 && isBelow(noise.metricVariance, leastNoiseMultiplier, scale.metric);
}
