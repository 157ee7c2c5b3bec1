import { UsageError } from '@tutti/base';
import type { LaneLayout, LaneScale } from '@tutti/aggregation';
import {
  adaptiveNoise,
  LARGEST_GAUSSIAN_VARIANCE,
  LARGEST_NOISE_VARIANCE,
  roundedSensitivity,
  type CorrelatedNoise,
  type Participation,
} from '@tutti/privacy';
import type { RoundDescription } from '@tutti/protocol';
import { fewestSurvivors, smallestGroup } from '@tutti/secure-aggregation';
import { rulesOf, type MechanismConfig, type NoiseConfig, type TaskConfig } from './task-config.ts';

/** Keeps float64 rounding from lifting a variance above the largest one. */
const ROUNDING = 1e-9;

/** Smallest unit of weights, and of the clip indicator, which is half of one. */
const LEAST_WEIGHT = 2;

/** What an attempt's noise is planned with. */
export interface NoisePlan {
  /** Standard deviation over C of the sum's noise: above the configured z where the clip indicator takes its part. */
  readonly delta: number;
  /** Standard deviation over ½ of the clip lane's noise; 0 for none. */
  readonly clip: number;
  /** Standard deviation over 1 of each metric lane's noise; 0 for none. */
  readonly metric: number;
}

type Correlated = Extract<MechanismConfig, { name: 'tree' | 'banded' }>;
type Purpose = RoundDescription['purpose'];

export const mechanismOf = ({ mechanism }: NoiseConfig): MechanismConfig => mechanism ?? { name: 'skellam' };

export const isCorrelated = (mechanism: MechanismConfig): mechanism is Correlated =>
  mechanism.name === 'tree' || mechanism.name === 'banded';

/** The mechanism as the accountant knows it. */
export function correlatedOf(mechanism: Correlated): CorrelatedNoise {
  const { steps } = mechanism;
  return mechanism.name === 'tree'
    ? { mechanism: 'tree', steps }
    : { mechanism: 'banded', steps, coefficients: mechanism.coefficients };
}

/** How often a device may take part: in every round where nothing is said. */
export const participationOf = ({ participation }: NoiseConfig): Participation =>
  participation ?? { most: Number.MAX_SAFE_INTEGER, separation: 1 };

/** Whether attempts of this kind carry noise. */
export const isNoisy = ({ noise }: TaskConfig, purpose: Purpose = 'train'): boolean =>
  noise.multiplier > 0 && (purpose === 'train' || noise.accounting !== undefined);

/** Whether the clip lane is filled: always where the norm adapts, otherwise where no ε is claimed for what it tells. */
export const hasClipIndicator = ({ noise, adaptiveClipping }: TaskConfig, purpose: Purpose): boolean =>
  purpose === 'train' && (adaptiveClipping !== undefined || noise.accounting === undefined);

/** Multipliers of each kind of lane. @throws {UsageError} where adaptive clipping of so small a cohort has no solution. */
export function noisePlan({ noise, adaptiveClipping, cohort }: TaskConfig): NoisePlan {
  const { multiplier, metricMultiplier: metric } = noise;
  if (adaptiveClipping === undefined || multiplier === 0) return { delta: multiplier, clip: 0, metric };
  const { deltaMultiplier, indicatorStddev } = adaptiveNoise(multiplier, cohort.planned);
  return { delta: deltaMultiplier, clip: 2 * indicatorStddev, metric };
}

/** Fewest clients that an attempt goes on with. Of a Poisson sample, whose size is known, the part that has to survive has to be ready. */
export function smallestOf({ cohort, noise, poisson }: TaskConfig, planned: number): number {
  const present = poisson === undefined ? 0 : Math.ceil((noise.survivorShare ?? 0) * planned);
  return Math.min(planned, Math.max(cohort.smallest, present));
}

/**
 * Fewest clients that a group's sum can be over: what the threshold leaves of the smallest group, or the part of it that has to
 * survive. Without masks the same, so that the pipeline is.
 */
export function fewestOf(config: TaskConfig, planned: number): number {
  const { cohort, noise } = config;
  const sizes = { planned, smallest: smallestOf(config, planned), largestGroup: cohort.largestGroup };
  const byThreshold = fewestSurvivors(sizes, rulesOf(config));
  if (noise.survivorShare === undefined) return byThreshold;
  return Math.max(byThreshold, Math.ceil(noise.survivorShare * smallestGroup(sizes)));
}

/**
 * Coarser scales where the noise is so strong that it could not be drawn; it then drowns the rounding.
 * @throws {UsageError} where rounding alone is already too much for it.
 */
export function fitNoise(
  config: TaskConfig,
  planned: number,
  deltaLength: number,
  scale: LaneScale,
): LaneScale {
  const { clippingNorm, noise } = config;
  const plan = noisePlan(config);
  const strongest = strongestNoise(config, planned);
  const unit = Math.min(scale.metric, powerOfTwo(strongest / plan.metric));
  const weight = Math.min(scale.weight, unit, powerOfTwo((2 * strongest) / plan.clip));
  const largest = ((1 - ROUNDING) * strongest) / (plan.delta * drawWidth(noise));
  const scaled = largestNorm(deltaLength, Math.min(clippingNorm * scale.delta, largest), largest);
  if (!(scaled > 0) || unit < 1 || weight < LEAST_WEIGHT)
    throw new UsageError(
      `noise multipliers of ${plan.delta} and ${plan.metric} over ${deltaLength} lanes are more than can be drawn`,
    );
  return { delta: scaled / clippingNorm, weight, metric: unit };
}

/** Largest standard deviation of a lane of the sum, in ring units. */
function strongestNoise(config: TaskConfig, planned: number): number {
  if (mechanismOf(config.noise).name !== 'skellam') return Math.sqrt(LARGEST_GAUSSIAN_VARIANCE);
  return Math.sqrt(LARGEST_NOISE_VARIANCE * noisyClients(config, planned));
}

/** How much wider a draw is than the noise that it stands for: k₀ for a banded matrix. */
function drawWidth(noise: NoiseConfig): number {
  const mechanism = mechanismOf(noise);
  return mechanism.name === 'banded' ? (mechanism.coefficients[0] ?? 1) : 1;
}

/** The power of two that is nearest below `value`; any for infinity. */
const powerOfTwo = (value: number): number => 2 ** Math.floor(Math.log2(value));

/** The largest norm up to `most`, in ring units, that rounding keeps within `limit`; 0 where none is. */
function largestNorm(deltaLength: number, most: number, limit: number): number {
  const fits = (norm: number): boolean => deltaLength === 0 || roundedSensitivity(norm, deltaLength) <= limit;
  if (fits(most)) return most;
  let [low, high] = [0, most];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (middle > 0 && fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Members of the smallest sum that are sure to add noise. */
const noisyClients = (config: TaskConfig, planned: number): number =>
  fewestOf(config, planned) - (config.noise.colluders ?? 0);

/**
 * The noise of an attempt, as devices are told. Each client's part is a variance, so that the noise of the fewest survivors that can be
 * summed, less the assumed colluders, already has the deviation z·C. More survivors only add to it.
 */
export function describeNoise(
  config: TaskConfig,
  { purpose, planned }: { readonly purpose: Purpose; readonly planned: number },
  lanes: LaneLayout,
  scale: LaneScale,
): RoundDescription['noise'] {
  if (!isNoisy(config, purpose)) return { mechanism: 'none' };
  const plan = noisePlan(config);
  const clip = hasClipIndicator(config, purpose) ? plan.clip : 0;
  const metric = lanes.metrics.length === 0 ? 0 : plan.metric;
  const mechanism = mechanismOf(config.noise);
  if (mechanism.name === 'skellam') {
    const shares = noisyClients(config, planned);
    return {
      mechanism: 'skellam',
      multiplier: plan.delta,
      survivors: fewestOf(config, planned),
      deltaVariance: (plan.delta * deltaSensitivity(config.clippingNorm, scale, lanes)) ** 2 / shares,
      clipVariance: ((clip * scale.weight) / 2) ** 2 / shares,
      metricVariance: (metric * scale.metric) ** 2 / shares,
    };
  }
  const central = { multiplier: plan.delta, clipMultiplier: clip, metricMultiplier: metric };
  if (!isCorrelated(mechanism) || purpose === 'evaluate') return { mechanism: 'gaussian', ...central };
  const { steps } = mechanism;
  return mechanism.name === 'tree'
    ? { mechanism: 'tree', ...central, steps }
    : { mechanism: 'banded', ...central, steps, coefficients: [...mechanism.coefficients] };
}

/**
 * D2': what a delta within C keeps to after rounding, in ring units. Without delta lanes there is nothing to hide, and C itself
 * does.
 */
export function deltaSensitivity(
  clippingNorm: number,
  scale: Pick<LaneScale, 'delta'>,
  { deltaLength }: Pick<LaneLayout, 'deltaLength'>,
): number {
  const scaled = clippingNorm * scale.delta;
  return deltaLength === 0 ? scaled : roundedSensitivity(scaled, deltaLength);
}
