import { toHex, utf8 } from '@tutti/base';
import { layoutFingerprint } from '@tutti/model';
import { PROTOCOL_VERSION, type RoundDescription } from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { OPEN, roundIdentity } from './identity.ts';
import { lanesOf } from './lanes.ts';
import { hasClipIndicator, smallestOf } from './noise-plan.ts';
import { chooseRing } from './ring-plan.ts';
import { rulesOf, type TaskConfig } from './task-config.ts';

/** Digest of the model's configuration and parameter layout. */
export function layoutHashOf(config: TaskConfig, crypto: CryptoSuite): string {
  return toHex(crypto.digest('layout', utf8(layoutFingerprint(config.model))));
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
  /** Clients wanted: the planned cohort, everybody for an evaluation, those who were drawn for a Poisson sample. */
  readonly planned: number;
  /** What of the catalogue travels, in a training attempt of a task that slices. */
  readonly slice?: RoundDescription['slice'];
  /** Names of the metric lanes, where the attempt measures something else than usual. */
  readonly metrics?: string[];
}

/**
 * Phase 0: the description of an attempt.
 * @throws {RingBudgetError} when the largest sum would not fit the ring.
 */
export function describeAttempt(config: TaskConfig, facts: AttemptFacts): RoundDescription {
  const { purpose, planned } = facts;
  const lanes = lanesOf(config, purpose, facts.metrics);
  const { wordBits, scale, noise } = chooseRing(config, facts, lanes);
  const { participation } = config.noise;
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
    identity: roundIdentity(config.identity ?? OPEN),
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
    ...(facts.slice === undefined ? {} : { slice: facts.slice }),
    wordBits,
    scale: { ...scale },
    clippingNorm: config.clippingNorm,
    clipIndicator: hasClipIndicator(config, purpose),
    noise,
    ...(participation === undefined ? {} : { participation: { ...participation } }),
    cohort: {
      planned,
      smallest: smallestOf(config, planned),
      largestGroup: config.cohort.largestGroup,
    },
    graph,
    deadlinesMs: { revealNonces: shareKeys, survivors: unmask, ...config.deadlinesMs },
  };
}
