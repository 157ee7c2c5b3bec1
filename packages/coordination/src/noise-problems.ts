import { UsageError } from '@tutti/base';
import { adaptiveNoise, correlatedSensitivity, nextClippingNorm } from '@tutti/privacy';
import { correlatedOf, fewestOf, isCorrelated, isNoisy, mechanismOf, participationOf } from './noise-plan.ts';
import type { TaskConfig } from './task-config.ts';

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  readonly path: string;
  readonly problem: string;
}

/** Strategies whose steps are sums of updates, in which correlated noise cancels. */
const SUMMING_STRATEGIES: readonly string[] = ['fedavg', 'fedprox', 'fedavgm'];

/** Deviations of a Poisson sample that may lie between its mean and the smallest cohort: fewer would be drawn again too often. */
const SAMPLE_DEVIATIONS = 5;

/** What is wrong with a task's noise, clipping and selection. */
export function noiseProblems(config: TaskConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const ask = (path: string, fits: boolean, problem: string): void =>
    void (fits || problems.push({ path, problem }));
  askNoise(config, ask);
  askAccounting(config, ask);
  askPoisson(config, ask);
  for (const [path, work] of [
    ['adaptiveClipping', () => checkAdaptive(config)],
    ['noise.mechanism', () => checkCorrelatedNoise(config)],
  ] as const) {
    try {
      work();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push({ path, problem: error.message });
    }
  }
  return problems;
}

type Ask = (path: string, fits: boolean, problem: string) => void;

const isCount = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least;

function askNoise(config: TaskConfig, ask: Ask): void {
  const { noise, strategy, adaptiveClipping } = config;
  const { multiplier, metricMultiplier, colluders = 0, survivorShare = 1, participation } = noise;
  ask('noise.multiplier', multiplier >= 0 && multiplier <= 1_000, `${multiplier} is not from 0 to 1000`);
  ask(
    'noise.metricMultiplier',
    metricMultiplier >= 0 && metricMultiplier <= 10_000,
    `${metricMultiplier} is not from 0 to 10000`,
  );
  ask(
    'noise.survivorShare',
    survivorShare > 0 && survivorShare <= 1,
    `${survivorShare} is not above 0, at most 1`,
  );
  const fewest = fewestOf(config, config.cohort.planned);
  ask(
    'noise.colluders',
    isCount(colluders, 0) && colluders < fewest,
    `${colluders} is not a whole number from 0, below the ${fewest} that a group's sum can be over`,
  );
  for (const [name, value] of Object.entries<number>({ ...participation }))
    ask(`noise.participation.${name}`, isCount(value, 1), `${value} is not a whole number from 1`);
  const { combine = 'mean', poisson } = config;
  ask(
    'combine',
    combine === 'mean' || (mechanismOf(noise).name === 'skellam' && poisson === undefined),
    `${combine}: noise of the coordinator, and a Poisson sample, are for the mean of all`,
  );
  if (!isCorrelated(mechanismOf(noise))) return;
  ask(
    'strategy',
    SUMMING_STRATEGIES.includes(strategy.name),
    `${strategy.name}: correlated noise cancels in a sum of updates; ${SUMMING_STRATEGIES.join(', ')} are such`,
  );
  ask(
    'adaptiveClipping',
    adaptiveClipping === undefined,
    'correlated noise needs one clipping norm for all rounds',
  );
}

function askAccounting({ noise, metrics, rowCounts, poisson }: TaskConfig, ask: Ask): void {
  const { accounting, multiplier, metricMultiplier } = noise;
  if (accounting === undefined) return;
  const { epsilonBudget = 1, against = 'readers', dpDelta } = accounting;
  ask('noise.accounting.dpDelta', dpDelta > 0 && dpDelta < 1, `${dpDelta} is not between 0 and 1`);
  ask('noise.accounting.epsilonBudget', epsilonBudget > 0, `${epsilonBudget} is not above 0`);
  ask(
    'noise.accounting.against',
    against === 'readers' || mechanismOf(noise).name === 'skellam',
    'nothing holds against a coordinator that adds the noise itself',
  );
  ask(
    'noise.accounting',
    multiplier > 0 && (metrics === false || metricMultiplier > 0),
    'needs noise on the delta and on the metric lanes (or no metric lanes): a lane without noise is not released while ε is counted',
  );
  ask('rowCounts', rowCounts !== true, 'carry no noise, so they cannot be counted while ε is');
  ask(
    'poisson',
    poisson === undefined || !isCorrelated(mechanismOf(noise)),
    'correlated noise is for clients that nobody samples',
  );
}

function askPoisson({ poisson, cohort }: TaskConfig, ask: Ask): void {
  if (poisson === undefined) return;
  const asked = cohort.planned * cohort.overselection;
  ask(
    'poisson.population',
    isCount(poisson.population, 1) && poisson.population >= asked,
    `${poisson.population} is not a whole number from the ${Math.ceil(asked)} that a round asks`,
  );
  const least = cohort.planned - SAMPLE_DEVIATIONS * Math.sqrt(cohort.planned);
  ask(
    'cohort.smallest',
    cohort.smallest <= Math.max(1, least),
    `${cohort.smallest} would often be missed by a sample of ${cohort.planned} on average; at most ${Math.floor(Math.max(1, least))} is needed`,
  );
}

/** @throws {UsageError} where the clipping norm cannot adapt with this noise. */
function checkAdaptive(config: TaskConfig): void {
  const { adaptiveClipping, cohort, noise } = config;
  if (adaptiveClipping === undefined) return;
  nextClippingNorm(1, 0.5, adaptiveClipping);
  if (isNoisy(config) && noise.multiplier > 0) adaptiveNoise(noise.multiplier, cohort.planned);
}

/** @throws {UsageError} for steps or coefficients that cannot be. */
function checkCorrelatedNoise({ noise }: TaskConfig): void {
  const mechanism = mechanismOf(noise);
  if (!isCorrelated(mechanism)) return;
  correlatedSensitivity(correlatedOf(mechanism), 1, participationOf(noise));
}
