import { UsageError } from '@tutti/base';
import { createLedger, spent, type Ledger } from '@tutti/privacy';
import { describeAttempt, type AttemptFacts } from './describe.ts';
import { fewestOf } from './noise-plan.ts';
import { addRelease, budgetedOf, releaseOf } from './release.ts';
import type { TaskConfig } from './task-config.ts';

/** What a task's noise shall be enough for. */
export interface NoiseTarget {
  /** ε that all of it costs at most, at the task's δ and from the view that its budget is for. */
  readonly epsilon: number;
  /** Training rounds, and measurements of everybody beside them. */
  readonly rounds: number;
  readonly evaluations?: number;
}

/**
 * Noise of each metric lane over that of the delta lanes, where both are sought: the four of them then cost about a tenth of what
 * the delta costs.
 */
const METRIC_RATIO = 6;

const LEAST_MULTIPLIER = 1e-3;
const MOST_MULTIPLIER = 1_000;

/** Relative width of the answer. */
const TOLERANCE = 1e-5;

/**
 * The task with the least noise whose ε is at most the target's: found by the ledger itself, over releases as the task would make them
 * with the fewest survivors that it sums, less the assumed colluders.
 *
 * @param config must count ε; its noise multipliers are not read.
 * @throws {UsageError} where it does not count ε, or no noise that can be drawn is enough.
 */
export function calibratedTask(config: TaskConfig, target: NoiseTarget): TaskConfig {
  if (config.noise.accounting === undefined)
    throw new UsageError('noise.accounting: a δ is needed, to find the noise for an ε');
  const excess = (multiplier: number): number =>
    Math.log(epsilonOf(withNoise(config, multiplier), target) / target.epsilon);
  const multiplier = leastMultiplier(excess);
  if (multiplier === undefined)
    throw new UsageError(
      `privacy.epsilon: ${target.epsilon} over ${target.rounds} rounds needs a noise multiplier above ${MOST_MULTIPLIER}; ask for a larger ε, or for fewer rounds`,
    );
  return withNoise(config, multiplier);
}

function withNoise(config: TaskConfig, multiplier: number): TaskConfig {
  const metricMultiplier = config.metrics === false ? 0 : METRIC_RATIO * multiplier;
  return { ...config, noise: { ...config.noise, multiplier, metricMultiplier } };
}

/** The ε of a whole plan, with the fewest survivors in every round. */
function epsilonOf(config: TaskConfig, { rounds, evaluations = 0 }: NoiseTarget): number {
  const dpDelta = config.noise.accounting?.dpDelta ?? 0;
  const cap = config.noise.participation?.most;
  const training = plannedRounds(config, 'train', rounds);
  const measuring = evaluations === 0 ? [] : plannedRounds(config, 'evaluate', evaluations).rounds;
  const ledger: Ledger = {
    ...createLedger(cap === undefined ? {} : { participationCap: cap }),
    rounds: [...training.rounds, ...measuring],
    correlated: training.correlated,
  };
  return budgetedOf(spent(ledger, dpDelta), config.noise.accounting?.against);
}

function plannedRounds(config: TaskConfig, purpose: AttemptFacts['purpose'], times: number): Ledger {
  const { planned, largestGroup } = config.cohort;
  const description = describeAttempt(config, { ...NOTHING_KNOWN, purpose, planned });
  const fewestInGroup = fewestOf(config, planned);
  const groups = Math.ceil(planned / largestGroup);
  const release = releaseOf(config, description, {
    fewestInGroup,
    groups,
    survivors: groups * fewestInGroup,
  });
  const once = release === null ? createLedger() : addRelease(createLedger(), release);
  return {
    ...once,
    rounds: once.rounds.map((round) => ({ ...round, times })),
    correlated: once.correlated.map((round) => ({ ...round, rounds: times })),
  };
}

const ZEROS = '0'.repeat(64);
const NOTHING_KNOWN = {
  ...{ round: 1, attempt: 1, previousDigest: ZEROS },
  ...{ modelHash: ZEROS, layoutHash: ZEROS, catalogueHash: ZEROS },
} as const;

/**
 * The least z with excess(z) ≤ 0, where log ε falls with log z and is nearly a line: bracketed by doubling, then by false position,
 * with a halving every third step. Undefined where none that can be drawn will do.
 */
function leastMultiplier(excess: (multiplier: number) => number): number | undefined {
  let [low, high] = [LEAST_MULTIPLIER, 1];
  let [above, below] = [Number.POSITIVE_INFINITY, excess(high)];
  while (below > 0) {
    [low, above] = [high, below];
    high *= 2;
    if (high > MOST_MULTIPLIER) return undefined;
    below = excess(high);
  }
  for (let step = 1; high / low > 1 + TOLERANCE; step++) {
    const [from, to] = [Math.log(low), Math.log(high)];
    const line = from + ((to - from) * above) / (above - below);
    // A hair above the line's zero, so that the upper end moves too.
    const aimed = line + TOLERANCE / 4;
    const usable = step % 3 !== 0 && Number.isFinite(aimed) && aimed > from && aimed < to;
    const middle = Math.exp(usable ? aimed : (from + to) / 2);
    const at = excess(middle);
    if (at > 0) [low, above] = [middle, at];
    else [high, below] = [middle, at];
  }
  return high;
}
