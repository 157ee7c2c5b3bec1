import { DecodeError, InternalError } from '@tutti/base';
import {
  recordCorrelated,
  recordRelease,
  type CorrelatedRelease,
  type Ledger,
  type Release,
  type Spent,
} from '@tutti/privacy';
import { attemptRelease, LANE_KINDS, type RoundDescription } from '@tutti/protocol';
import * as z from 'zod/mini';
import type { TaskConfig } from './task-config.ts';

/** What an attempt released of its cohort, for the ledger: every kind of lane with the noise that was really on it. */

const count = z.number().check(z.int(), z.gte(0));
const nullable = z.nullable(z.number());
const participation = z.strictObject({ most: count, separation: count });

/** A release as the accountant takes it, and what lanes it was of. */
const part = z.discriminatedUnion('mechanism', [
  z.strictObject({
    lanes: z.enum(LANE_KINDS),
    mechanism: z.literal('skellam'),
    l1: z.number(),
    l2: z.number(),
    variance: z.number(),
    readersVariance: z.number(),
    sampling: nullable,
  }),
  z.strictObject({
    lanes: z.enum(LANE_KINDS),
    mechanism: z.literal('gaussian'),
    noiseMultiplier: z.number(),
    sampling: nullable,
    trusted: z.literal(true),
  }),
]);

const shape = z.discriminatedUnion('mechanism', [
  z.strictObject({ mechanism: z.literal('tree'), steps: count }),
  z.strictObject({ mechanism: z.literal('banded'), steps: count, coefficients: z.array(count) }),
]);

export const releaseSchema = z.strictObject({
  mechanism: z.enum(['skellam', 'gaussian', 'tree', 'banded']),
  /** z of the delta lanes, as devices were told; of each draw, for correlated noise. */
  multiplier: z.number(),
  survivors: count,
  /** Survivors of the smallest group: the coordinator sees its sum with its noise alone. */
  fewestInGroup: count,
  colluders: count,
  sampling: nullable,
  participation: z.nullable(participation),
  parts: z.array(part),
  /** The delta lanes, where their noise is correlated over the rounds. */
  correlated: z.nullable(
    z.strictObject({ noise: shape, noiseMultiplier: z.number(), participation, trusted: z.literal(true) }),
  ),
});

/** What a committed round or a measurement released. */
export type ReleaseRecord = z.infer<typeof releaseSchema>;

/** What was released in the first journals: two releases of distributed noise. */
export const firstReleaseSchema = z.strictObject({
  l1: z.number(),
  l2: z.number(),
  variance: z.number(),
  metricL2: z.number(),
  metricVariance: z.number(),
});

/** A release of a first journal as it is told now. @throws {DecodeError} where it has no noise to account. */
export function ofFirstRelease(old: z.infer<typeof firstReleaseSchema>): ReleaseRecord {
  const FIRST_METRIC_LANES = 5;
  const { l1, l2, variance, metricL2, metricVariance } = old;
  if (!(metricVariance > 0)) throw new DecodeError('journal.release.metricVariance', 'is not above 0');
  const skellam = (lanes: 'delta' | 'metrics', d1: number, d2: number, noise: number) => ({
    ...{ lanes, mechanism: 'skellam' as const, l1: d1, l2: d2 },
    ...{ variance: noise, readersVariance: noise, sampling: null },
  });
  const metricL1 = Math.min(metricL2 * Math.sqrt(FIRST_METRIC_LANES), metricL2 * metricL2);
  return {
    mechanism: 'skellam',
    multiplier: l2 === 0 ? 0 : Math.sqrt(variance) / l2,
    ...{
      survivors: 0,
      fewestInGroup: 0,
      colluders: 0,
      sampling: null,
      participation: null,
      correlated: null,
    },
    parts: [
      ...(l2 === 0 ? [] : [skellam('delta', l1, l2, variance)]),
      skellam('metrics', metricL1, metricL2, metricVariance),
    ],
  };
}

/** Who was in a sum. */
export interface Counted {
  readonly survivors: number;
  readonly groups: number;
  readonly fewestInGroup: number;
}

/**
 * What an attempt releases, with the noise of the survivors that there are, less the assumed colluders; nothing where ε is not
 * counted. Each person is in one group, whose sum the coordinator sees apart; readers see the sum of all.
 */
export function releaseOf(
  config: TaskConfig,
  description: RoundDescription,
  counted: Counted,
): ReleaseRecord | null {
  const { noise, purpose } = description;
  if (config.noise.accounting === undefined || noise.mechanism === 'none') return null;
  const { survivors, groups, fewestInGroup } = counted;
  const { colluders = 0, participation = null } = config.noise;
  const sampling = purpose === 'train' ? samplingOf(config) : null;
  const seen = fewestInGroup - colluders;
  // A median, or a mean without the outer groups, may be that of one group: only the mean holds the noise of all.
  const read = (config.combine ?? 'mean') === 'mean' ? survivors - groups * colluders : seen;
  const clients = { seen, read, sampling };
  const released = attemptRelease(description, clients);
  if (released === undefined) throw new InternalError('a lane without noise, where ε is counted');
  return {
    ...{ mechanism: noise.mechanism, multiplier: noise.multiplier },
    ...{ survivors, fewestInGroup, colluders, sampling, participation },
    ...(structuredClone(released) as Pick<ReleaseRecord, 'parts' | 'correlated'>),
  };
}

/** q, the chance of being asked, where it is the same for everybody and secret; null for a cohort of fixed size. */
export function samplingOf({ poisson, cohort }: TaskConfig): number | null {
  return poisson === undefined
    ? null
    : Math.min(1, (cohort.planned * cohort.overselection) / poisson.population);
}

/** The ledger with what a round released. */
export function addRelease(ledger: Ledger, { parts, correlated }: ReleaseRecord): Ledger {
  const releases = parts.map(({ lanes: _, ...release }): Release => release);
  const grown = releases.length === 0 ? ledger : recordRelease(ledger, releases);
  return correlated === null ? grown : recordCorrelated(grown, correlated satisfies CorrelatedRelease);
}

/** The ε that a budget is for: the coordinator's view, unless that is trusted with the sum or the budget is for readers. */
export const budgetedOf = (
  { coordinator, readers }: Spent,
  against: 'coordinator' | 'readers' = 'coordinator',
): number => (against === 'readers' || coordinator === null ? readers : coordinator);
