import { toHex, utf8 } from '@tutti/base';
import {
  chooseLaneScale,
  largestLaneMagnitude,
  layoutLanes,
  type LaneLayout,
  type LaneScale,
} from '@tutti/aggregation';
import { layoutFingerprint } from '@tutti/model';
import { LARGEST_NOISE_VARIANCE } from '@tutti/privacy';
import { PROTOCOL_VERSION, type RoundDescription } from '@tutti/protocol';
import { checkRingBudget, fewestSurvivors, type CryptoSuite } from '@tutti/secure-aggregation';
import type { TaskConfig } from './task-config.ts';

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
    chooseLaneScale({
      cohort: groupSize,
      clippingNorm: config.clippingNorm,
      noise: noisy,
      deltaLength: lanes.deltaLength,
    }),
  );
  const noise = noiseOf(
    config,
    scale,
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
  return {
    protocol: PROTOCOL_VERSION,
    task: config.name,
    round: facts.round,
    attempt: facts.attempt,
    purpose,
    protection: config.protection,
    mode: 'semi-honest',
    identity: 'open',
    previousDigest: facts.previousDigest,
    modelHash: facts.modelHash,
    layoutHash: facts.layoutHash,
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
    threshold: 'two-thirds',
    deadlinesMs: { ...config.deadlinesMs },
  };
}

/** Coarser scales where the noise is so strong that a device could not draw its part of it; it then drowns the rounding. */
function fitNoise({ noise, clippingNorm }: TaskConfig, fewest: number, scale: LaneScale): LaneScale {
  const strongest = Math.sqrt(LARGEST_NOISE_VARIANCE * fewest);
  const { multiplier, metricMultiplier } = noise;
  const unit = Math.min(scale.metric, 2 ** Math.floor(Math.log2(strongest / metricMultiplier)));
  return {
    delta: Math.min(scale.delta, ((1 - ROUNDING) * strongest) / (multiplier * clippingNorm)),
    weight: Math.min(scale.weight, unit),
    metric: unit,
  };
}

/**
 * Each client's part of the noise: a variance, so that the noise of the fewest survivors that can be summed already has the
 * deviation z·C. More survivors only add to it.
 */
function noiseOf(
  config: TaskConfig,
  scale: LaneScale,
  planned: number,
  noisy: boolean,
): RoundDescription['noise'] {
  if (!noisy) return { mechanism: 'none' };
  const fewest = fewestOf(config, planned);
  const { multiplier, metricMultiplier } = config.noise;
  return {
    mechanism: 'skellam',
    multiplier,
    deltaVariance: (multiplier * config.clippingNorm * scale.delta) ** 2 / fewest,
    metricVariance: (metricMultiplier * scale.metric) ** 2 / fewest,
  };
}

/** Fewest clients that a group's sum can be over; without masks it can be one. */
export function fewestOf({ protection, cohort }: TaskConfig, planned: number): number {
  const { largestGroup } = cohort;
  return protection === 'plain'
    ? 1
    : fewestSurvivors({ planned, smallest: Math.min(planned, cohort.smallest), largestGroup });
}
