import { UsageError } from '@tutti/base';

/** Where each kind of lane stands in a masked vector: [delta][row counts][weight][clip indicator][metrics]. */
export interface LaneLayout {
  readonly deltaLength: number;
  /** Lanes that count, for each item row, the weight of the clients that touched it; 0 for none. */
  readonly rowCounts: number;
  /** Names of the metric lanes, in order. */
  readonly metrics: readonly string[];
  /** First lane of each kind. */
  readonly offsets: {
    readonly delta: number;
    readonly rowCounts: number;
    readonly weight: number;
    readonly clip: number;
    readonly metrics: number;
  };
  /** Lanes altogether. */
  readonly length: number;
}

/** Ring units per unit of each kind of lane. */
export interface LaneScale {
  /** S: units per unit of a model delta. */
  readonly delta: number;
  /** Units per unit of weight, also of row counts and of the clip indicator (of which lanes hold ±½); a whole number. */
  readonly weight: number;
  /** Units per unit of a metric; a whole number. */
  readonly metric: number;
}

/**
 * The layout of a vector of lanes.
 *
 * @param options `deltaLength` ≥ 0 (0 in an evaluation round), `rowCounts` ≥ 0 item rows, `metrics` distinct names.
 * @throws {UsageError} for a length that is negative or no whole number, and for a metric named twice.
 */
export function layoutLanes(options: {
  deltaLength: number;
  rowCounts?: number;
  metrics: readonly string[];
}): LaneLayout {
  const { deltaLength, rowCounts = 0, metrics } = options;
  for (const [name, value] of Object.entries({ deltaLength, rowCounts })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new UsageError(`${name} is ${value}; a whole number from 0 is needed`);
  }
  if (new Set(metrics).size !== metrics.length)
    throw new UsageError(`metrics ${metrics.join(', ')}: each name may occur once`);
  if (rowCounts > deltaLength)
    throw new UsageError(`${rowCounts} rows cannot stand in ${deltaLength} delta lanes`);
  const weight = deltaLength + rowCounts;
  return {
    deltaLength,
    rowCounts,
    metrics: [...metrics],
    offsets: { delta: 0, rowCounts: deltaLength, weight, clip: weight + 1, metrics: weight + 2 },
    length: weight + 2 + metrics.length,
  };
}

/** Largest C·S without noise: rounding is then lost in float32, and cohorts of a thousand fit. */
const FINEST = 2 ** 20;

/** C·S with noise in the ring, for up to 2²⁰ lanes and up to 2¹⁷ lanes (differential-privacy.md). */
const NOISY_WIDE = 2 ** 16;
const NOISY_NARROW = 2 ** 14;
const NARROW_LANES = 2 ** 17;

/**
 * What the values of a group may fill of the signed half of the ring, 2^(wordBits − 1): the rest is for noise tails. With 24
 * bits the delta may fill nearly all, since its noise is of its own order; weights and metrics a quarter.
 */
const ROOM = {
  32: { delta: 2 ** 30, unit: 2 ** 30 },
  24: { delta: 7 * 2 ** 20, unit: 2 ** 21 },
} as const;

/** Finest weights and metrics. */
const FINEST_UNIT = 2 ** 16;

/** What a round description may name as a scale. */
const LARGEST_SCALE = 2 ** 31;

/**
 * Scales that use the ring well for groups of at most `cohort` clients.
 *
 * Without noise, S is the largest power of two with C·S ≤ 2²⁰ and cohort·(C·S + 1) ≤ 2³⁰. With noise, C·S is 2¹⁶, or
 * 2¹⁴ where `deltaLength` is given and at most 2¹⁷: coarser rounding then costs next to nothing, and narrower noise is
 * faster to draw. A cohort of more than 2¹⁴ clients (2¹⁶) lowers S until it fits. Either way 2³⁰ is left for noise tails;
 * the budget of the ring is checked elsewhere, with {@link largestLaneMagnitude}. With words of 24 bits the same, with 7·2²⁰ in
 * place of 2³⁰ (2²¹ for weights and metrics): groups of up to 447 clients keep a C·S of 2¹⁴.
 *
 * @param options `cohort`: most clients in one group, 1 .. 2²⁴ (2²⁰ with 24 bits); `clippingNorm`: C > 0, in the units of
 *   the weights; `wordBits`: default 32.
 * @throws {UsageError} for values outside these ranges.
 */
export function chooseLaneScale(options: {
  cohort: number;
  clippingNorm: number;
  noise: boolean;
  deltaLength?: number;
  wordBits?: 24 | 32;
}): LaneScale {
  const { cohort, clippingNorm, noise, deltaLength = Number.POSITIVE_INFINITY, wordBits = 32 } = options;
  const most = wordBits === 32 ? 2 ** 24 : 2 ** 20;
  if (!(Number.isInteger(cohort) && cohort >= 1 && cohort <= most))
    throw new UsageError(`a group of ${cohort} clients; a whole number from 1 to ${most} is needed`);
  if (!(clippingNorm > 0 && Number.isFinite(clippingNorm)))
    throw new UsageError(`a clipping norm of ${clippingNorm}; a finite number above 0 is needed`);
  const room = ROOM[wordBits];
  const share = room.delta / cohort - 1;
  const noisy = deltaLength <= NARROW_LANES ? NOISY_NARROW : NOISY_WIDE;
  const delta = noise
    ? Math.min(noisy, powerOfTwoBelow(share)) / clippingNorm
    : powerOfTwoBelow(Math.min(FINEST, share) / clippingNorm);
  const unit = powerOfTwoBelow(Math.min(FINEST_UNIT, room.unit / cohort - 1));
  return { delta: Math.min(delta, LARGEST_SCALE), weight: unit, metric: unit };
}

/** The largest power of two that is at most `value`; by comparison, since log2 may round up. */
function powerOfTwoBelow(value: number): number {
  const power = 2 ** Math.floor(Math.log2(value));
  return power > value ? power / 2 : power;
}

/**
 * The largest magnitude that one client's lane can take, in ring units, before noise: C·S + 1 for the delta, and one
 * whole unit and 1 for weights, row counts, clip indicator and metrics. Times the group, plus the tail of the noise, it
 * must stay below 2³¹ (2²³ where words have 24 bits).
 */
export function largestLaneMagnitude(layout: LaneLayout, scale: LaneScale, clippingNorm: number): number {
  const delta = layout.deltaLength > 0 ? clippingNorm * scale.delta + 1 : 0;
  const metric = layout.metrics.length > 0 ? scale.metric + 1 : 0;
  return Math.max(delta, scale.weight + 1, metric);
}
