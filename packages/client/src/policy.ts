import type { DeclineReason, RoundDescription, TaskInfo } from '@tutti/protocol';
import { SMALLEST_COHORT } from '@tutti/secure-aggregation';

/** What a device asks of a round before it takes part. */
export interface Policy {
  /** Fewest clients in a group; below 16 masks do not protect. */
  readonly smallestCohort: number;
  /** Largest clipping norm: bounds what one device can add. */
  readonly largestClippingNorm: number;
  /** Least noise multiplier of the sum. */
  readonly leastNoiseMultiplier: number;
  /** Whether an attempt without masks is acceptable: in simulations only. */
  readonly allowPlain: boolean;
}

/** What a device asks unless its app asks for more. */
export const DEFAULT_POLICY: Policy = {
  smallestCohort: SMALLEST_COHORT,
  largestClippingNorm: 1_000,
  leastNoiseMultiplier: 0,
  allowPlain: false,
};

/** The policy's answer to a description: the reason not to take part, or nothing. */
export function declineReason(
  policy: Policy,
  task: TaskInfo,
  description: RoundDescription,
  lastAttempt: number,
): DeclineReason | undefined {
  const { noise, cohort, protection, clippingNorm } = description;
  if (description.task !== task.task || description.attempt <= lastAttempt) return 'stale-description';
  if (description.layoutHash !== task.layoutHash) return 'wrong-model';
  if (protection === 'plain' && !policy.allowPlain) return 'plain-refused';
  if (cohort.smallest < policy.smallestCohort || cohort.largestGroup < policy.smallestCohort)
    return 'cohort-too-small';
  if (clippingNorm > policy.largestClippingNorm) return 'clip-too-large';
  const multiplier = noise.mechanism === 'none' ? 0 : noise.multiplier;
  if (description.purpose === 'train' && multiplier < policy.leastNoiseMultiplier) return 'noise-too-weak';
  return undefined;
}
