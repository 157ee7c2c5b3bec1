import { toHex, UsageError, utf8 } from '@tutti/base';
import {
  chooseLaneScale,
  largestLaneMagnitude,
  layoutLanes,
  type LaneLayout,
  type LaneScale,
} from '@tutti/aggregation';
import { layoutFingerprint } from '@tutti/model';
import { LARGEST_NOISE_VARIANCE, roundedSensitivity } from '@tutti/privacy';
import { PROTOCOL_VERSION, type RoundDescription } from '@tutti/protocol';
import { checkRingBudget, fewestSurvivors, type CryptoSuite } from '@tutti/secure-aggregation';
import { rulesOf, type TaskConfig } from './task-config.ts';

/** Names of the metric lanes, in order. */
export const METRICS = ['loss', 'hr10', 'ndcg10', 'evaluated'] as const;

/** Losses up to this fit the loss lane; larger ones count as this. */
export const LARGEST_LOSS = 4;

/** Deviations that noise stays within, but for a chance below 1e-14 a lane. */
const NOISE_TAIL_DEVIATIONS = 8;

/** Keeps float64 rounding from lifting a variance above the largest one. */
const ROUNDING = 1e-9;

/** Digest of the model's configuration and parameter layout. */
export function layoutHashOf(config: TaskConfig, crypto: CryptoSuite): string {
  return toHex(crypto.digest('layout', utf8(layoutFingerprint(config.model))));
}

/** The lanes of an attempt with this purpose. */
export function lanesOf(config: TaskConfig, purpose: RoundDescription['purpose']): LaneLayout {
  const train = purpose === 'train';
  return layoutLanes({
    deltaLength: train ? config.model.layout.length : 0,
    rowCounts: train && config.rowCounts === true ? config.model.items : 0,
    metrics: METRICS,
  });
}

/** What differs from one attempt to the next. */
export interface AttemptFacts {
  readonly purpose: RoundDescription['purpose'];
  readonly round: number;
  readonly attempt: number;
  readonly previousDigest: string;
  readonly modelHash: string;
  readonly layoutHash: string;
  readonly catalogueHash: string;
  /** Clients wanted: the planned cohort, or everybody for an evaluation. */
  readonly planned: number;
}

/**
 * Phase 0: the description of an attempt.
 * @throws {RingBudgetError} when the largest sum would not fit the ring.
 */
export function describeAttempt(config: TaskConfig, facts: AttemptFacts): RoundDescription {
  const { purpose, planned } = facts;
  const lanes = lanesOf(config, purpose);
  const groupSize = Math.min(planned, config.cohort.largestGroup);
  const noisy = config.noise.multiplier > 0 && purpose === 'train';
  const scale = fitNoise(
    config,
    fewestOf(config, planned),
    noisy ? lanes.deltaLength : 0,
    chooseLaneScale({
      cohort: groupSize,
      clippingNorm: config.clippingNorm,
      noise: noisy,
      deltaLength: lanes.deltaLength,
    }),
  );
  const noise = noiseOf(
    config,
    { scale, deltaLength: lanes.deltaLength },
    planned,
    noisy || (config.noise.accounting !== undefined && purpose === 'evaluate'),
  );
  const spread =
    noise.mechanism === 'none'
      ? 0
      : Math.sqrt(Math.max(noise.deltaVariance, noise.metricVariance) * groupSize);
  checkRingBudget({
    cohort: groupSize,
    largestMagnitude: largestLaneMagnitude(lanes, scale, config.clippingNorm),
    noiseTail: NOISE_TAIL_DEVIATIONS * spread,
  });
  const { mode, ...graph } = rulesOf(config);
  const { shareKeys, unmask } = config.deadlinesMs;
  return {
    protocol: PROTOCOL_VERSION,
    task: config.name,
    round: facts.round,
    attempt: facts.attempt,
    purpose,
    protection: config.protection,
    mode,
    identity: 'open',
    previousDigest: facts.previousDigest,
    modelHash: facts.modelHash,
    layoutHash: facts.layoutHash,
    catalogueHash: facts.catalogueHash,
    lanes: {
      delta: lanes.deltaLength,
      rowCounts: lanes.rowCounts,
      metrics: [...lanes.metrics],
      length: lanes.length,
    },
    scale: { ...scale },
    clippingNorm: config.clippingNorm,
    noise,
    cohort: {
      planned,
      smallest: Math.min(planned, config.cohort.smallest),
      largestGroup: config.cohort.largestGroup,
    },
    graph,
    deadlinesMs: { revealNonces: shareKeys, survivors: unmask, ...config.deadlinesMs },
  };
}

/**
 * Coarser scales where the noise is so strong that a device could not draw its part of it; it then drowns the rounding.
 * @throws {UsageError} where rounding alone is already too much for it.
 */
function fitNoise(
  { noise, clippingNorm }: TaskConfig,
  fewest: number,
  deltaLength: number,
  scale: LaneScale,
): LaneScale {
  const strongest = Math.sqrt(LARGEST_NOISE_VARIANCE * fewest);
  const unit = Math.min(scale.metric, 2 ** Math.floor(Math.log2(strongest / noise.metricMultiplier)));
  const largest = ((1 - ROUNDING) * strongest) / noise.multiplier;
  const scaled = largestNorm(deltaLength, Math.min(clippingNorm * scale.delta, largest), largest);
  if (!(scaled > 0) || unit < 1)
    throw new UsageError(
      `noise multipliers of ${noise.multiplier} and ${noise.metricMultiplier} over ${deltaLength} lanes are more than devices can draw`,
    );
  return { delta: scaled / clippingNorm, weight: Math.min(scale.weight, unit), metric: unit };
}

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

/**
 * Each client's part of the noise: a variance, so that the noise of the fewest survivors that can be summed already has the
 * deviation z·C. More survivors only add to it.
 */
function noiseOf(
  config: TaskConfig,
  { scale, deltaLength }: { scale: LaneScale; deltaLength: number },
  planned: number,
  noisy: boolean,
): RoundDescription['noise'] {
  if (!noisy) return { mechanism: 'none' };
  const fewest = fewestOf(config, planned);
  const { multiplier, metricMultiplier } = config.noise;
  // What the rounded delta keeps to; without delta lanes there is nothing to hide, and any variance does.
  const scaled = config.clippingNorm * scale.delta;
  const sensitivity = deltaLength === 0 ? scaled : roundedSensitivity(scaled, deltaLength);
  return {
    mechanism: 'skellam',
    multiplier,
    deltaVariance: (multiplier * sensitivity) ** 2 / fewest,
    metricVariance: (metricMultiplier * scale.metric) ** 2 / fewest,
  };
}

/** Fewest clients that a masked group's sum can be over; without masks the same, so that the pipeline is. */
export function fewestOf(config: TaskConfig, planned: number): number {
  const { smallest, largestGroup } = config.cohort;
  return fewestSurvivors({ planned, smallest: Math.min(planned, smallest), largestGroup }, rulesOf(config));
}
