import { UsageError } from '@tutti/base';
import { checkCount, checkPositive } from './checks.ts';

/** How the clipping norm follows the updates: towards the norm that this share of them does not exceed. */
export interface AdaptiveClipping {
  /** γ in (0, 1): the share of updates that should pass unclipped; 0.5 finds their median norm. */
  readonly quantile: number;
  /** How fast the logarithm of the norm moves; {@link CLIP_LEARNING_RATE} unless there is a reason. */
  readonly learningRate: number;
}

/** The learning rate of Andrew et al. 2021. */
export const CLIP_LEARNING_RATE = 0.2;

/** Cohort over the deviation of the noise on the count of unclipped updates: a share known to ±5 %. */
const COHORT_PER_STDDEV = 20;

/** Sensitivity of the indicator: it is shifted to ±½, so that a person more or less moves its sum by half. */
const INDICATOR_SENSITIVITY = 0.5;

/** How the noise of a release is shared between the update and the clip indicator. */
export interface AdaptiveNoise {
  /** σ_b: standard deviation of the noise of the sum of the indicators, which are ±½. */
  readonly indicatorStddev: number;
  /** z_Δ: noise multiplier of the update; above z. */
  readonly deltaMultiplier: number;
}

/**
 * Noise for update and clip indicator whose release together costs what z alone would: σ_b = m/20 and
 * z_Δ = (z⁻² − (2σ_b)⁻²)^(−1/2).
 *
 * Exact for Gaussian noise. With Skellam noise the RDP of both parts is added instead; they come to nearly the same.
 *
 * @param noiseMultiplier z > 0 of the whole release.
 * @param cohort m, the clients that a sum is planned over: a whole number from 1.
 * @throws {UsageError} for z ≥ m/10: the indicator alone would then cost as much, so no z_Δ exists. A larger cohort or less
 *   noise is needed, or a fixed clipping norm.
 * @see Andrew, Thakkar, McMahan & Ramaswamy, Differentially Private Learning with Adaptive Clipping, NeurIPS 2021, Theorem 1.
 */
export function adaptiveNoise(noiseMultiplier: number, cohort: number): AdaptiveNoise {
  checkPositive('noise multiplier', noiseMultiplier);
  checkCount('cohort', cohort);
  const indicatorStddev = cohort / COHORT_PER_STDDEV;
  const left = noiseMultiplier ** -2 - (indicatorStddev / INDICATOR_SENSITIVITY) ** -2;
  if (!(left > 0))
    throw new UsageError(
      `a noise multiplier of ${noiseMultiplier} with adaptive clipping of ${cohort} clients; below ${cohort / 10} is needed`,
    );
  return { indicatorStddev, deltaMultiplier: left ** -0.5 };
}

/**
 * The next clipping norm: C·exp(−η·(b̄ − γ)), geometric steps towards the quantile.
 *
 * @param clippingNorm C > 0.
 * @param unclippedShare b̄: share of the updates that were not clipped, as released: under noise it can leave [0, 1], and is
 *   brought back into it.
 * @throws {UsageError} for a norm, share, quantile or learning rate that cannot be.
 * @see Andrew et al. 2021, Algorithm 1.
 */
export function nextClippingNorm(
  clippingNorm: number,
  unclippedShare: number,
  { quantile, learningRate }: AdaptiveClipping,
): number {
  checkPositive('clipping norm', clippingNorm);
  checkPositive('learning rate of the clipping norm', learningRate);
  if (!(quantile > 0 && quantile < 1))
    throw new UsageError(`a quantile of ${quantile}; between 0 and 1 is needed`);
  if (Number.isNaN(unclippedShare)) throw new UsageError('a share that is no number');
  const share = Math.min(1, Math.max(0, unclippedShare));
  return clippingNorm * Math.exp(-learningRate * (share - quantile));
}
