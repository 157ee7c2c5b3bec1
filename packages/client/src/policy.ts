import { UsageError } from '@tutti/base';
import { roundedSensitivity } from '@tutti/privacy';
import { graphRules, type DeclineReason, type RoundDescription, type TaskInfo } from '@tutti/protocol';
import { fewestSurvivors, MODES, SMALLEST_COHORTS, type Mode } from '@tutti/secure-aggregation';

/** What a device asks of a round before it takes part. */
export interface Policy {
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
}

/** What a device asks unless its app asks for more. */
export const DEFAULT_POLICY: Policy = {
  smallestCohort: SMALLEST_COHORTS['semi-honest'],
  mode: 'semi-honest',
  leastCorruptPermille: 50,
  insecureSmallCohort: false,
  largestClippingNorm: 1_000,
  leastNoiseMultiplier: 0,
  allowPlain: false,
};

/** What each field of a policy may be. */
const ALLOWED: { readonly [Name in keyof Policy]: [(value: unknown) => boolean, string] } = {
  smallestCohort: [(value) => Number.isInteger(value) && (value as number) >= 2, 'a whole number from 2'],
  largestClippingNorm: [(value) => typeof value === 'number' && value > 0, 'a number above 0'],
  leastNoiseMultiplier: [(value) => typeof value === 'number' && value >= 0, 'a number from 0'],
  mode: [(value) => MODES.some((mode) => mode === value), `one of ${MODES.join(', ')}`],
  leastCorruptPermille: [
    (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 333,
    'a whole number from 0 to 333',
  ],
  insecureSmallCohort: [(value) => typeof value === 'boolean', 'true or false'],
  allowPlain: [(value) => typeof value === 'boolean', 'true or false'],
};

/**
 * The default policy with what an app asks for instead.
 * @throws {UsageError} naming every field that is unknown or out of range, with what it may be.
 */
export function resolvePolicy(asked: Partial<Policy> = {}): Policy {
  const problems = Object.entries(asked).flatMap(([name, value]) => {
    const rule = Object.hasOwn(ALLOWED, name) ? ALLOWED[name as keyof Policy] : undefined;
    if (rule === undefined)
      return [`policy.${name} is not known; there are ${Object.keys(ALLOWED).join(', ')}`];
    const [fits, allowed] = rule;
    return fits(value) ? [] : [`policy.${name} is ${String(value)}; ${allowed} is needed`];
  });
  const least = SMALLEST_COHORTS[asked.mode ?? DEFAULT_POLICY.mode] ?? SMALLEST_COHORTS.active;
  const policy = { ...DEFAULT_POLICY, smallestCohort: least, ...asked };
  if (policy.smallestCohort < least && !policy.insecureSmallCohort)
    problems.push(
      `policy.smallestCohort is ${policy.smallestCohort}; below ${least} masks do not protect (set insecureSmallCohort to override)`,
    );
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
  if (cohort.smallest > cohort.planned) return 'cohort-too-small';
  if (cohort.smallest < policy.smallestCohort || cohort.largestGroup < policy.smallestCohort)
    return 'cohort-too-small';
  if (clippingNorm > policy.largestClippingNorm) return 'clip-too-large';
  if (isTooQuiet(policy, description)) return 'noise-too-weak';
  return undefined;
}

/**
 * Whether this device's own part of the noise is less than the policy asks for, or than the description says: what a
 * coordinator calls its noise multiplier protects nobody, what each device adds does. The delta is noised for what it can be
 * after rounding, which on a coarse scale is far more than C; every lane that is released counts, and row counts carry no noise.
 */
function isTooQuiet({ leastNoiseMultiplier }: Policy, description: RoundDescription): boolean {
  const { noise, cohort, clippingNorm, scale, lanes } = description;
  if (noise.mechanism === 'none') return leastNoiseMultiplier > 0;
  const fewest = fewestSurvivors(cohort, graphRules(description));
  const isBelow = (variance: number, multiplier: number, sensitivity: number): boolean =>
    variance < ((multiplier * sensitivity) ** 2 / fewest) * (1 - ROUNDING);
  if (lanes.delta > 0) {
    const sensitivity = roundedSensitivity(clippingNorm * scale.delta, lanes.delta);
    if (isBelow(noise.deltaVariance, Math.max(leastNoiseMultiplier, noise.multiplier), sensitivity))
      return true;
  }
  return (
    isBelow(noise.metricVariance, leastNoiseMultiplier, scale.metric) ||
    (leastNoiseMultiplier > 0 && lanes.rowCounts > 0)
  );
}
