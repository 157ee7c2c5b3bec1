import { UsageError } from '@tutti/base';
import { calibratedTask, type MechanismConfig, type NoiseConfig, type TaskConfig } from '@tutti/coordination';
import { bandedCoefficients, CLIP_LEARNING_RATE } from '@tutti/privacy';
import type { ResolvedOptions } from './options.ts';
import { countsEpsilon, type SimulationPrivacy } from './privacy-options.ts';

/** A simulation that people may rely on for nothing but figures tells its guarantee as one of ten people would ask for it. */
const DP_DELTA = 1e-5;

/** A simulated client that falls silent may do so before it trains or after: so many times as many are allowed for, in each. */
const SILENT_ALLOWANCE = 1.5;

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
  checkEnoughPeople(noisy, resolved);
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

/** So many parts as people may take must do for the rounds, each with the fewest that it may end with. */
function checkEnoughPeople(
  { noise: { participation }, cohort }: TaskConfig,
  resolved: Pick<ResolvedOptions, 'dropout' | 'rounds'> & { readonly users: number },
): void {
  if (participation === undefined) return;
  const { rounds, users } = resolved;
  const { most, separation } = participation;
  const fewest = Math.ceil(cohort.smallest * presentShare(resolved));
  if (rounds * fewest > users * most)
    throw new UsageError(
      `privacy.participations: ${most} of each of ${users} people are ${users * most}; ${rounds} rounds of ${fewest} people need ${rounds * fewest}`,
    );
  const apart = Math.min(separation, rounds);
  if (apart * fewest > users)
    throw new UsageError(
      `privacy.separation: ${apart} rounds one after another need ${apart * fewest} different people, ${fewest} each; there are ${users}`,
    );
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
