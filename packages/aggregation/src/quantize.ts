import { countInRanges, l2Norm, UsageError, type RandomWords, type Ranges } from '@tutti/base';
import { InvalidUpdateError } from './errors.ts';
import type { LaneLayout, LaneScale } from './layout.ts';
import { bestRounding, HALF, WORD, type BlockReader, type Rounding } from './rounding.ts';

/** What one client adds to the sum. */
export interface ClientContribution {
  /**
   * Clipped model delta, trained minus initial; float32, layout.deltaLength numbers, or those of `ranges`; empty in an evaluation
   * round.
   */
  readonly delta: Float32Array;
  /** Where in the layout the numbers of the delta stand, all others being zero. */
  readonly ranges?: Ranges;
  /** w in (0, 1]; 1 for everybody under differential privacy. */
  readonly weight: number;
  /** Whether clipping shortened the delta; absent where the clip lane is not asked for, and stays 0. */
  readonly clipped?: boolean;
  /** Item rows that training touched, where the layout counts rows; a row named twice counts once. */
  readonly touchedRows?: Int32Array;
  /** Each in [0, 1]. A metric of the layout that is absent adds 0; one that the layout does not name is left out. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What the delta lanes must keep to, where the caller knows it, and where the words may stand. */
export interface DeltaBounds {
  /** C: a delta whose L2 norm is above it is scaled down to C while it is rounded (flat clipping, McMahan et al. 2018). */
  readonly clippingNorm?: number;
  /** L2 norm of the delta, where the caller has measured it. */
  readonly norm?: number;
  /**
   * L2 norm in ring units that the rounded delta must not exceed: the sensitivity D2' that noise is accounted with.
   * Rounding is repeated until it holds.
   */
  readonly roundedNorm?: number;
  /** Memory for so many words, whatever stood there; a vector of their own, when left out. */
  readonly room?: (words: number) => Uint32Array;
}

/** Repetitions of the rounding before it is given up (differential-privacy.md). */
const MOST_RETRIES = 20;

/** Largest lane that is a signed ring word. */
const LARGEST_LANE = 2 ** 31 - 1;

/**
 * A contribution as ring words: each lane of the delta is w·x·S, rounded up or down at random, so that its mean is exact
 * (to 2⁻⁴¹ of a ring unit and the rounding of w·S to float64). A value that is whole after scaling stays as it is. With
 * `bounds.clippingNorm` a delta that is longer is scaled down to it, all numbers alike.
 *
 * Law: the signed sum of several clients' words differs from Σ w·x·S by less than one unit a client, with mean 0.
 *
 * With `bounds.roundedNorm` the rounding of the whole delta is repeated, at most 20 times, until the words' L2 norm is
 * within it; if that never happens every lane is cut towards zero, which always fits a clipped delta. This is the
 * conditional stochastic rounding of Kairouz, Liu & Steinke (ICML 2021), which makes D2' a bound and not a hope.
 *
 * Of a delta with `ranges` the words are those of its numbers, and behind them all lanes that follow the delta: lanes of zero
 * are left out, as {@link inputRanges} says, and take no random words.
 *
 * @param random a word is used for every four delta lanes and once in about 256 lanes another (all of it again for each
 *   repetition), then one for each metric: the result depends on the stream and the arguments only. Words are drawn some
 *   thousands ahead of their use: give it a stream of its own.
 * @returns two's complement words, layout.length of them where there are no `ranges`; the arguments are not changed.
 * @throws {UsageError} if the delta has another length than the layout or its ranges, a scale is not finite and positive, or the unit of
 *   weights is odd where the clip indicator is asked for.
 * @throws {InvalidUpdateError} if a value is NaN, infinite or too large for the ring,
 *   a weight is outside (0, 1], a metric outside [0, 1], or a row outside the table.
 */
export function quantizeContribution(
  layout: LaneLayout,
  scale: LaneScale,
  contribution: ClientContribution,
  random: RandomWords,
  bounds: DeltaBounds = {},
): Uint32Array {
  const { delta, weight, clipped } = contribution;
  const kept = contribution.ranges === undefined ? layout : withoutZeros(layout, contribution.ranges);
  checkShape(kept, scale, delta);
  if (!(weight > 0 && weight <= 1)) throw new InvalidUpdateError('weight', 'is not in (0, 1]');
  const input = bounds.room?.(kept.length) ?? new Uint32Array(kept.length);
  const lanes = new Int32Array(input.buffer, input.byteOffset, kept.length);
  lanes.fill(0, kept.deltaLength);
  const factor = deltaFactor(delta, weight * scale.delta, bounds);
  const rounding = bestRounding();
  try {
    const words = rounding.reader(random);
    roundDeltaInPlace(lanes, delta, factor, { rounding, words }, bounds.roundedNorm);
    // A weight too small for its lane still counts as the smallest one: its delta is in the sum.
    const weightLane = Math.max(1, Math.round(weight * scale.weight));
    countRowsInPlace(lanes, kept, contribution.touchedRows, weightLane);
    lanes[kept.offsets.weight] = weightLane;
    if (clipped !== undefined) lanes[kept.offsets.clip] = clipIndicator(scale, clipped);
    writeMetricsInPlace(lanes, kept, scale, contribution.metrics, words);
  } finally {
    rounding.wipe();
  }
  return input;
}

/**
 * Where in the layout the words of a contribution with `ranges` stand: its own, and all that follows the delta.
 * @param all memory for them: two numbers more than `ranges` has.
 */
export function inputRanges(
  { deltaLength, length }: LaneLayout,
  ranges: Ranges,
  all: Ranges = new Int32Array(ranges.length + 2),
): Ranges {
  all.set(ranges);
  all.set([deltaLength, length - deltaLength], ranges.length);
  return all;
}

/** The layout of the words of a contribution with `ranges`. */
function withoutZeros(layout: LaneLayout, ranges: Ranges): LaneLayout {
  const deltaLength = countInRanges(ranges, layout.deltaLength);
  const gap = layout.deltaLength - deltaLength;
  const { delta, rowCounts, weight, clip, metrics } = layout.offsets;
  const offsets = {
    delta,
    rowCounts: rowCounts - gap,
    weight: weight - gap,
    clip: clip - gap,
    metrics: metrics - gap,
  };
  return { ...layout, deltaLength, offsets, length: layout.length - gap };
}

function checkShape(layout: LaneLayout, scale: LaneScale, delta: Float32Array): void {
  if (delta.length !== layout.deltaLength)
    throw new UsageError(`a delta of ${delta.length} numbers; the layout has ${layout.deltaLength}`);
  if (!(scale.delta > 0 && Number.isFinite(scale.delta)))
    throw new UsageError(`a scale of ${scale.delta}; a finite number above 0 is needed`);
  for (const unit of [scale.weight, scale.metric]) {
    if (!(Number.isInteger(unit) && unit >= 1 && unit <= LARGEST_LANE))
      throw new UsageError(`a scale of ${unit}; a whole number from 1, below 2^31, is needed`);
  }
}

/** What every number of the delta is multiplied by. Checks first, so that nothing is drawn for an update that is refused. */
function deltaFactor(
  delta: Float32Array,
  scale: number,
  { clippingNorm = Number.POSITIVE_INFINITY, norm = l2Norm(delta) }: DeltaBounds,
): number {
  if (!Number.isFinite(norm)) throw new InvalidUpdateError('delta', 'holds a number that is not finite');
  const factor = norm > clippingNorm ? scale * (clippingNorm / norm) : scale;
  // No lane is longer than all together, so most deltas need no look at each.
  const fits = (length: number): boolean => length * factor < LARGEST_LANE;
  if (!fits(norm) && !delta.every((value) => fits(Math.abs(value))))
    throw new InvalidUpdateError('delta', 'does not fit the ring');
  return factor;
}

function roundDeltaInPlace(
  lanes: Int32Array,
  delta: Float32Array,
  factor: number,
  { rounding, words }: { rounding: Rounding; words: BlockReader },
  roundedNorm: number | undefined,
): void {
  const round = (): void => rounding.round(lanes, delta, factor, words);
  round();
  if (roundedNorm === undefined) return;
  const limit = roundedNorm * roundedNorm;
  for (let retry = 0; squaresOf(lanes, delta.length) > limit; retry++) {
    if (retry === MOST_RETRIES) {
      for (let i = 0; i < delta.length; i++) lanes[i] = Math.trunc((delta[i] as number) * factor);
      if (squaresOf(lanes, delta.length) > limit)
        throw new InvalidUpdateError('delta', `does not fit a rounded norm of ${roundedNorm}`);
      return;
    }
    round();
  }
}

/** +½ of a unit for a delta within C, −½ for one above: a person more or less moves the sum by half a unit, not by a whole. */
function clipIndicator({ weight }: LaneScale, clipped: boolean): number {
  if (weight % 2 !== 0) throw new UsageError(`a weight unit of ${weight} has no half for the clip indicator`);
  return clipped ? -weight / 2 : weight / 2;
}

/** Sum of squares of whole numbers: exact while it is below 2⁵³. */
function squaresOf(lanes: Int32Array, length: number): number {
  let squares = 0;
  for (let i = 0; i < length; i++) squares += (lanes[i] as number) * (lanes[i] as number);
  return squares;
}

function countRowsInPlace(
  lanes: Int32Array,
  layout: LaneLayout,
  touchedRows: Int32Array | undefined,
  weightLane: number,
): void {
  if (layout.rowCounts === 0 || touchedRows === undefined) return;
  for (const row of touchedRows) {
    if (row < 0 || row >= layout.rowCounts)
      throw new InvalidUpdateError('touchedRows', `names a row outside the table of ${layout.rowCounts}`);
    lanes[layout.offsets.rowCounts + row] = weightLane;
  }
}

function writeMetricsInPlace(
  lanes: Int32Array,
  layout: LaneLayout,
  scale: LaneScale,
  metrics: Readonly<Record<string, number>>,
  words: BlockReader,
): void {
  for (const [index, name] of layout.metrics.entries()) {
    const value = Object.hasOwn(metrics, name) ? (metrics[name] as number) : 0;
    if (!(value >= 0 && value <= 1)) throw new InvalidUpdateError(`metrics.${name}`, 'is not in [0, 1]');
    const lane = value * scale.metric;
    const below = Math.floor(lane);
    lanes[layout.offsets.metrics + index] = below + Math.floor(lane - below + (words.next() * WORD + HALF));
  }
}
