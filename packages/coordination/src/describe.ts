import { toHex, utf8 } from '@tutti/base';
import {
  chooseLaneScale,
  largestLaneMagnitude,
  layoutLanes,
  type LaneLayout,
  type LaneScale,
} from '@tutti/aggregation';
import { layoutFingerprint } from '@tutti/model';
import { PROTOCOL_VERSION, type RoundDescription } from '@tutti/protocol';
import { checkRingBudget, thresholdFor, type CryptoSuite } from '@tutti/secure-aggregation';
import type { TaskConfig } from './task-config.ts';

/** Names of the metric lanes, in order. */
export const METRICS = ['loss', 'hr10', 'ndcg10', 'evaluated'] as const;

/** Losses up to this fit the loss lane; larger ones count as this. */
export const LARGEST_LOSS = 4;

/** Deviations that noise stays within, but for a chance below 1e-14 a lane. */
const NOISE_TAIL_DEVIATIONS = 8;

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
  const scale = chooseLaneScale({
    cohort: groupSize,
    clippingNorm: config.clippingNorm,
    noise: noisy,
    deltaLength: lanes.deltaLength,
  });
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
  const fewest = fewestSurvivors(config, planned);
  const { multiplier, metricMultiplier } = config.noise;
  return {
    mechanism: 'skellam',
    multiplier,
    deltaVariance: (multiplier * config.clippingNorm * scale.delta) ** 2 / fewest,
    metricVariance: (metricMultiplier * scale.metric) ** 2 / fewest,
  };
}

/** Fewest clients that a sum can be over: the threshold of one group of the smallest cohort. */
export function fewestSurvivors(config: TaskConfig, planned: number): number {
  const smallest = Math.min(planned, config.cohort.smallest);
  const groups = Math.ceil(smallest / config.cohort.largestGroup);
  return config.protection === 'plain' || smallest < 2
    ? 1
    : thresholdFor(Math.max(2, Math.floor(smallest / groups)));
}
