import { UsageError } from '@tutti/base';
import { calibratedTask, type MechanismConfig, type NoiseConfig, type TaskConfig } from '@tutti/coordination';
import { bandedCoefficients, CLIP_LEARNING_RATE } from '@tutti/privacy';
import type { ResolvedOptions } from './options.ts';

/** How noise gets onto a sum: by the devices, or by a coordinator that is trusted with it. */
export const MECHANISMS = ['skellam', 'gaussian', 'tree', 'banded'] as const;
export type Mechanism = (typeof MECHANISMS)[number];

/** What a simulation is asked to guarantee, and how. */
export interface SimulationPrivacy {
  /** Default `skellam`. */
  readonly mechanism?: Mechanism;
  /** Finds the least noise with which all rounds together cost at most this; not beside a noise multiplier. */
  readonly epsilon?: number;
  /** δ; with it ε is counted. 1e-5 where `epsilon` is given. */
  readonly dpDelta?: number;
  /** Whose view `epsilon` is for; default the coordinator, or readers where it adds the noise. */
  readonly against?: 'coordinator' | 'readers';
  /** Lets the clipping norm follow this quantile of the updates. */
  readonly adaptiveClip?: number;
  /** Asks each person by a coin of their own, with `cohort` of them on average. */
  readonly poisson?: boolean;
  /** Most rounds that a person takes part in, and fewest rounds from one to the next. */
  readonly participations?: number;
  readonly separation?: number;
  /** Rounds of one tree or run of a matrix; default all. */
  readonly steps?: number;
  /** Bands of the matrix; default the best. */
  readonly bands?: number;
  /** Members of a group that are assumed to add no noise. */
  readonly colluders?: number;
  /** Loss and ranking lanes in each round; off by default where ε is counted, for they cost a part of it. */
  readonly metrics?: boolean;
}

/** A simulation that people may rely on for nothing but figures tells its guarantee as one of ten people would ask for it. */
const DP_DELTA = 1e-5;

/** A simulated client that falls silent may do so before it trains or after: so many times as many are allowed for, in each. */
const SILENT_ALLOWANCE = 1.5;

/** Whether ε is counted. */
export const countsEpsilon = ({ epsilon, dpDelta }: SimulationPrivacy): boolean =>
  epsilon !== undefined || dpDelta !== undefined;

/** Part of a cohort that has to be there where ε is counted: noise is meant for so many. */
export const presentShare = ({ dropout }: Pick<ResolvedOptions, 'dropout'>): number =>
  Math.max(0.5, 1 - SILENT_ALLOWANCE * dropout);

/**
 * The task with its noise, clipping and selection as `privacy` asks for them.
 * @throws {UsageError} where no noise gives what is asked for, or options do not go together.
 */
export function privateTask(
  task: TaskConfig,
  privacy: SimulationPrivacy,
  resolved: Pick<ResolvedOptions, 'dropout' | 'rounds'> & { readonly users: number },
): TaskConfig {
  checkTogether(privacy, task.noise.multiplier);
  const counts = countsEpsilon(privacy);
  const metrics = privacy.metrics ?? !counts;
  const noisy: TaskConfig = {
    ...task,
    metrics,
    noise: {
      ...task.noise,
      ...(counts && metrics ? { metricMultiplier: METRIC_RATIO * task.noise.multiplier } : {}),
      ...noiseOf(privacy, resolved),
    },
    ...(privacy.adaptiveClip === undefined
      ? {}
      : { adaptiveClipping: { quantile: privacy.adaptiveClip, learningRate: CLIP_LEARNING_RATE } }),
    ...(privacy.poisson === true ? { poisson: { population: resolved.users } } : {}),
  };
  return privacy.epsilon === undefined
    ? noisy
    : calibratedTask(noisy, { epsilon: privacy.epsilon, rounds: resolved.rounds });
}

/** Noise of metric lanes over that of the delta lanes, where only the latter is given. */
const METRIC_RATIO = 6;

function checkTogether(privacy: SimulationPrivacy, noiseMultiplier: number): void {
  const { mechanism = 'skellam', epsilon, steps, bands, separation } = privacy;
  const problems = [
    epsilon !== undefined && noiseMultiplier > 0
      ? `privacy.epsilon: ${epsilon} finds a noise multiplier; ${noiseMultiplier} is given too`
      : undefined,
    steps !== undefined && mechanism !== 'tree' && mechanism !== 'banded'
      ? `privacy.steps: are for tree and banded noise; this is ${mechanism}`
      : undefined,
    bands !== undefined && mechanism !== 'banded'
      ? `privacy.bands: are for banded noise; this is ${mechanism}`
      : undefined,
    separation !== undefined &&
    privacy.participations === undefined &&
    mechanism !== 'tree' &&
    mechanism !== 'banded'
      ? 'privacy.separation: is for tree and banded noise, or beside participations'
      : undefined,
    countsEpsilon(privacy) && epsilon === undefined && !(noiseMultiplier > 0)
      ? 'privacy.dpDelta: ε is counted with noise only; ask for an ε or a noise multiplier'
      : undefined,
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
}

function noiseOf(
  privacy: SimulationPrivacy,
  resolved: Pick<ResolvedOptions, 'dropout' | 'rounds'>,
): Partial<NoiseConfig> {
  const { epsilon, dpDelta = DP_DELTA, against, colluders } = privacy;
  const participation = participationOf(privacy, resolved.rounds);
  return {
    mechanism: mechanismOf(privacy, resolved.rounds),
    ...(colluders === undefined ? {} : { colluders }),
    ...(participation === undefined ? {} : { participation }),
    ...(!countsEpsilon(privacy)
      ? {}
      : {
          survivorShare: presentShare(resolved),
          accounting: {
            dpDelta,
            ...(epsilon === undefined ? {} : { epsilonBudget: epsilon * (1 + BUDGET_ROUNDING) }),
            ...(against === undefined ? {} : { against }),
          },
        }),
  };
}

/** The budget is what the noise was found for; a hair more lets the last round through whatever float64 rounds. */
const BUDGET_ROUNDING = 1e-9;

function participationOf(
  { participations, separation = 1 }: SimulationPrivacy,
  rounds: number,
): NoiseConfig['participation'] | undefined {
  if (participations === undefined && separation === 1) return undefined;
  return { most: participations ?? Math.ceil(rounds / separation), separation };
}

function mechanismOf(privacy: SimulationPrivacy, rounds: number): MechanismConfig {
  const { mechanism = 'skellam', steps = rounds } = privacy;
  if (mechanism === 'skellam' || mechanism === 'gaussian') return { name: mechanism };
  if (mechanism === 'tree') return { name: mechanism, steps };
  const participation = participationOf(privacy, rounds) ?? { most: rounds, separation: 1 };
  return { name: mechanism, steps, coefficients: bandedCoefficients(steps, participation, privacy.bands) };
}
