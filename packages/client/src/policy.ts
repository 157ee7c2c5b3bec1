import type { DeclineReason, RoundDescription, TaskInfo } from '@tutti/protocol';
import { fewestSurvivors, SMALLEST_COHORT } from '@tutti/secure-aggregation';

/** What a device asks of a round before it takes part. */
export interface Policy {
  /** Fewest clients in a group; below 16 masks do not protect. */
  readonly smallestCohort: number;
  /** Largest clipping norm: bounds what one device can add. */
  readonly largestClippingNorm: number;
  /** Least noise multiplier of the sum over the fewest survivors there can be. */
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

/** What float arithmetic may lose between coordinator and device. */
const ROUNDING = 1e-9;

/** The policy's answer to a description: the reason not to take part, or nothing. */
export function declineReason(
  policy: Policy,
  task: TaskInfo,
  description: RoundDescription,
  lastAttempt: number,
): DeclineReason | undefined {
  const { purpose, cohort, protection, clippingNorm } = description;
  if (description.task !== task.task || description.attempt <= lastAttempt) return 'stale-description';
  if (description.layoutHash !== task.layoutHash) return 'wrong-model';
  if (protection === 'plain' && !policy.allowPlain) return 'plain-refused';
  if (cohort.smallest < policy.smallestCohort || cohort.largestGroup < policy.smallestCohort)
    return 'cohort-too-small';
  if (clippingNorm > policy.largestClippingNorm) return 'clip-too-large';
  if (purpose === 'train' && isTooQuiet(policy, description)) return 'noise-too-weak';
  return undefined;
}

/**
 * Whether this device's own part of the noise is less than the policy asks for, or than the description says: what a
 * coordinator calls its noise multiplier protects nobody, what each device adds does. Row counts carry no noise at all.
 */
function isTooQuiet({ leastNoiseMultiplier }: Policy, description: RoundDescription): boolean {
  const { noise, cohort, protection, clippingNorm, scale, lanes } = description;
  if (noise.mechanism === 'none') return leastNoiseMultiplier > 0;
  const fewest = protection === 'plain' ? 1 : fewestSurvivors(cohort);
  const asked = Math.max(leastNoiseMultiplier, noise.multiplier);
  const needed = (asked * clippingNorm * scale.delta) ** 2 / fewest;
  return noise.deltaVariance < needed * (1 - ROUNDING) || (leastNoiseMultiplier > 0 && lanes.rowCounts > 0);
}
