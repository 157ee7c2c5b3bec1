import {
  roundedSensitivity,
  type CorrelatedNoise,
  type CorrelatedRelease,
  type Release,
} from '@tutti/privacy';
import type { RoundDescription } from './description.ts';

/** Kinds of lanes that say something of people and carry noise of their own. */
export const LANE_KINDS = ['delta', 'clip', 'metrics'] as const;
export type LaneKind = (typeof LANE_KINDS)[number];

/** What an attempt releases, for an accountant: each kind of lane, and the delta lanes where their noise is correlated. */
export interface AttemptRelease {
  readonly parts: readonly (Release & { readonly lanes: LaneKind })[];
  readonly correlated: CorrelatedRelease | null;
}

/** How many clients' noise there is in what is released. */
export interface NoisyClients {
  /** In the sum that the coordinator sees, that of the smallest group: survivors less the assumed colluders. */
  readonly seen: number;
  /** In the sum over all groups, which readers see. */
  readonly read: number;
  /** q, where it may be counted. */
  readonly sampling: number | null;
}

/**
 * L2 norms, in ring units, that one client's lanes keep to: the rounded delta to D2', the clip indicator to half a unit, metrics in
 * [0, 1] to a unit and their rounding each.
 */
export function laneSensitivities(
  description: RoundDescription,
): Readonly<Partial<Record<LaneKind, number>>> {
  const known = sensitivities.get(description);
  if (known !== undefined) return known;
  const computed = computeSensitivities(description);
  sensitivities.set(description, computed);
  return computed;
}

/** Of descriptions that were asked about: a device asks several times for each attempt. */
const sensitivities = new WeakMap<RoundDescription, ReturnType<typeof computeSensitivities>>();

function computeSensitivities(description: RoundDescription): Readonly<Partial<Record<LaneKind, number>>> {
  const { lanes, scale, clippingNorm, clipIndicator } = description;
  return {
    ...(lanes.delta === 0 ? {} : { delta: roundedSensitivity(clippingNorm * scale.delta, lanes.delta) }),
    ...(clipIndicator ? { clip: scale.weight / 2 } : {}),
    ...(lanes.metrics.length === 0 ? {} : { metrics: (scale.metric + 1) * Math.sqrt(lanes.metrics.length) }),
  };
}

/**
 * What an attempt of this description releases. Coordinator and devices account with the same.
 *
 * @returns undefined where a lane that says something carries no noise: no ε bounds it then.
 */
export function attemptRelease(
  description: RoundDescription,
  { seen, read, sampling }: NoisyClients,
): AttemptRelease | undefined {
  const { noise, lanes, participation } = description;
  if (noise.mechanism === 'none' || lanes.rowCounts > 0) return undefined;
  const correlated = noise.mechanism === 'tree' || noise.mechanism === 'banded';
  const parts = (Object.entries(laneSensitivities(description)) as [LaneKind, number][])
    .filter(([kind]) => !(correlated && kind === 'delta'))
    .map(([kind, l2]) => ({
      lanes: kind,
      ...(noise.mechanism === 'skellam'
        ? skellam(l2, lanesOf(description, kind), varianceOf(noise, kind), { seen, read, sampling })
        : central(l2, spreadOf(description, noise, kind), sampling)),
    }));
  const quiet = parts.some((part) =>
    part.mechanism === 'skellam' ? !(part.variance > 0) : !(part.noiseMultiplier > 0),
  );
  if (quiet) return undefined;
  return {
    parts,
    correlated: correlated
      ? {
          noise: correlatedNoise(noise),
          noiseMultiplier: noise.multiplier,
          participation: participation ?? EVERY_ROUND,
          trusted: true,
        }
      : null,
  };
}

/** Where a description says nothing, a device may take part in every round. */
const EVERY_ROUND = { most: Number.MAX_SAFE_INTEGER, separation: 1 } as const;

type Noise = RoundDescription['noise'];
type Skellam = Extract<Noise, { mechanism: 'skellam' }>;
type Central = Exclude<Noise, { mechanism: 'none' | 'skellam' }>;

const lanesOf = ({ lanes }: RoundDescription, kind: LaneKind): number =>
  kind === 'clip' ? 1 : kind === 'delta' ? lanes.delta : lanes.metrics.length;

function varianceOf(noise: Skellam, kind: LaneKind): number {
  switch (kind) {
    case 'delta':
      return noise.deltaVariance;
    case 'clip':
      return noise.clipVariance;
    case 'metrics':
      return noise.metricVariance;
  }
}

function skellam(
  l2: number,
  lanes: number,
  variance: number,
  { seen, read, sampling }: NoisyClients,
): Release {
  return {
    mechanism: 'skellam',
    // A single lane's D1 is its D2; several together keep to √d·D2, and, being whole numbers, to D2².
    l1: lanes === 1 ? l2 : Math.min(Math.sqrt(lanes) * l2, l2 * l2),
    l2,
    variance: variance * seen,
    readersVariance: variance * read,
    sampling,
  };
}

/** Standard deviation of the noise that the coordinator adds to each lane of a kind, in ring units. */
function spreadOf({ scale, ...description }: RoundDescription, noise: Central, kind: LaneKind): number {
  switch (kind) {
    case 'delta':
      return noise.multiplier * (laneSensitivities({ ...description, scale }).delta ?? 0);
    case 'clip':
      return (noise.clipMultiplier * scale.weight) / 2;
    case 'metrics':
      return noise.metricMultiplier * scale.metric;
  }
}

const central = (l2: number, spread: number, sampling: number | null): Release => ({
  mechanism: 'gaussian',
  noiseMultiplier: spread / l2,
  sampling,
  trusted: true,
});

function correlatedNoise(noise: Extract<Noise, { mechanism: 'tree' | 'banded' }>): CorrelatedNoise {
  const { steps } = noise;
  return noise.mechanism === 'tree'
    ? { mechanism: 'tree', steps }
    : { mechanism: 'banded', steps, coefficients: [...noise.coefficients] };
}
