import { UsageError, type RandomWords } from '@tutti/base';
import { InvalidUpdateError } from './errors.ts';

/** Where each kind of lane stands in a masked vector: [delta][row counts][weight][clip indicator][metrics]. */
export interface LaneLayout {
  readonly deltaLength: number;
  /** Lanes that count, for each item row, the clients that touched it; 0 for none. */
  readonly rowCounts: number;
  readonly metrics: readonly string[];
  readonly offsets: { readonly delta: number; readonly rowCounts: number; readonly weight: number; readonly clip: number; readonly metrics: number };
  readonly length: number;
}

/** Ring units per unit of each kind of lane. Powers of two, so that scaling loses nothing. */
export interface LaneScale {
  readonly delta: number;
  readonly weight: number;
  readonly metric: number;
}

/** What one client adds to the sum. */
export interface ClientContribution {
  /** Clipped model delta, trained minus initial; empty in an evaluation round. */
  readonly delta: Float32Array;
  /** w in (0, 1]; 1 for everybody under differential privacy. */
  readonly weight: number;
  readonly clipped: boolean;
  /** Item rows that training touched, where the layout counts rows. */
  readonly touchedRows?: Int32Array;
  /** Each in [0, 1]; a metric that is absent adds 0. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What a cohort's sum says. */
export interface AggregatedUpdate {
  /** Σw·x / Σw; with row counts, each item row is divided by its own count. float32. */
  readonly meanDelta: Float32Array;
  readonly totalWeight: number;
  readonly clippedShare: number;
  /** Sums (not means) of the metric lanes. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly survivors: number;
  readonly rowCounts?: Float64Array;
}

/** The layout of a vector. @throws {UsageError} for a negative or fractional length. */
export function layoutLanes(options: { deltaLength: number; rowCounts?: number; metrics: readonly string[] }): LaneLayout {
  const { deltaLength, rowCounts = 0, metrics } = options;
  for (const [name, value] of Object.entries({ deltaLength, rowCounts })) {
    if (!Number.isInteger(value) || value < 0) throw new UsageError(`${name} is ${value}; a whole number from 0 is needed`);
  }
  if (rowCounts > 0 && deltaLength % rowCounts !== 0 && deltaLength < rowCounts) {
    throw new UsageError(`${rowCounts} rows cannot stand in ${deltaLength} delta lanes`);
  }
  const weight = deltaLength + rowCounts;
  return {
    deltaLength,
    rowCounts,
    metrics: [...metrics],
    offsets: { delta: 0, rowCounts: deltaLength, weight, clip: weight + 1, metrics: weight + 2 },
    length: weight + 2 + metrics.length,
  };
}

const TWO_32 = 4_294_967_296;

/**
 * A contribution as ring words: each lane is w·x·S, rounded up or down at random so that its mean is exact.
 *
 * @param random one word a lane is drawn, so the result depends on the stream and the values only.
 * @returns two's complement words, layout.length of them.
 * @throws {InvalidUpdateError} if a value is NaN or infinite, or a weight or metric is outside [0, 1].
 */
export function quantizeContribution(
  layout: LaneLayout,
  scale: LaneScale,
  contribution: ClientContribution,
  random: RandomWords,
): Uint32Array {
  const { delta, weight, metrics } = contribution;
  if (delta.length !== layout.deltaLength) throw new UsageError(`a delta of ${delta.length} numbers; the layout has ${layout.deltaLength}`);
  if (!(weight > 0 && weight <= 1)) throw new InvalidUpdateError('weight', 'is not in (0, 1]');
  const words = new Uint32Array(layout.length);
  const factor = weight * scale.delta;
  for (let i = 0; i < delta.length; i++) {
    const value = (delta[i] as number) * factor;
    if (value - value !== 0) throw new InvalidUpdateError('delta', 'holds a number that is not finite');
    words[i] = Math.floor(value + random.uint32() / TWO_32);
  }
  const rows = contribution.touchedRows;
  if (layout.rowCounts > 0 && rows !== undefined) {
    const one = Math.round(weight * scale.weight);
    for (const row of rows) {
      if (row < 0 || row >= layout.rowCounts) throw new InvalidUpdateError('touchedRows', 'names a row outside the table');
      words[layout.offsets.rowCounts + row] = one;
    }
  }
  words[layout.offsets.weight] = Math.round(weight * scale.weight);
  words[layout.offsets.clip] = contribution.clipped ? scale.weight : 0;
  layout.metrics.forEach((name, index) => {
    const value = metrics[name] ?? 0;
    if (!(value >= 0 && value <= 1)) throw new InvalidUpdateError(`metrics.${name}`, 'is not in [0, 1]');
    words[layout.offsets.metrics + index] = Math.floor(value * scale.metric + random.uint32() / TWO_32);
  });
  return words;
}

/**
 * The mean update that the groups' sums add up to. Sums are signed ring words; groups are added in float64.
 * @param survivors clients in the sums.
 */
export function decodeSum(layout: LaneLayout, scale: LaneScale, sums: readonly Int32Array[], survivors: number): AggregatedUpdate {
  const total = new Float64Array(layout.length);
  for (const sum of sums) {
    if (sum.length !== layout.length) throw new UsageError(`a sum of ${sum.length} lanes; the layout has ${layout.length}`);
    for (let i = 0; i < sum.length; i++) total[i] = (total[i] as number) + (sum[i] as number);
  }
  const totalWeight = (total[layout.offsets.weight] as number) / scale.weight;
  const divisor = scale.delta * Math.max(totalWeight, Number.MIN_VALUE);
  const meanDelta = Float32Array.from(total.subarray(0, layout.deltaLength), (lane) => (totalWeight > 0 ? lane / divisor : 0));
  const rowCounts = layout.rowCounts === 0 ? undefined : total.slice(layout.offsets.rowCounts, layout.offsets.weight).map((lane) => lane / scale.weight);
  if (rowCounts !== undefined) scaleRowsInPlace(meanDelta, rowCounts, totalWeight, layout.rowCounts);
  return {
    meanDelta,
    totalWeight,
    clippedShare: survivors === 0 ? 0 : (total[layout.offsets.clip] as number) / scale.weight / survivors,
    metrics: Object.fromEntries(layout.metrics.map((name, i) => [name, (total[layout.offsets.metrics + i] as number) / scale.metric])),
    survivors,
    ...(rowCounts === undefined ? {} : { rowCounts }),
  };
}

/** The item table stands first in a delta, in `rows` rows: each row's mean is over the clients that touched it. */
function scaleRowsInPlace(meanDelta: Float32Array, rowCounts: Float64Array, totalWeight: number, rows: number): void {
  const width = Math.floor(meanDelta.length / rows);
  rowCounts.forEach((count, row) => {
    const factor = count > 0.5 ? totalWeight / count : 0;
    for (let i = row * width; i < (row + 1) * width; i++) meanDelta[i] = (meanDelta[i] as number) * factor;
  });
}

/** Largest magnitude that one client's lane can take, in ring units: what the ring's budget is checked with. */
export function largestLaneMagnitude(layout: LaneLayout, scale: LaneScale, clippingNorm: number): number {
  return Math.max(layout.deltaLength > 0 ? clippingNorm * scale.delta + 1 : 0, scale.weight + 1, scale.metric + 1);
}

/** Largest C·S in the ring: fine enough that rounding is lost in float32, small enough for cohorts of a thousand. */
const FINEST = 2 ** 20;

/** C·S where noise is added in the ring (differential-privacy.md: d ≤ 2²⁰). */
const NOISY = 2 ** 16;

/** Half the ring is left for noise and for the unlikely. */
const HEADROOM = 2 ** 30;

/** Scales that use the ring well for groups of `cohort` clients: S is the largest power of two with C·S within bounds. */
export function chooseLaneScale(options: { cohort: number; clippingNorm: number; noise: boolean }): LaneScale {
  const { cohort, clippingNorm, noise } = options;
  const largest = Math.min(noise ? NOISY : FINEST, HEADROOM / cohort - 1);
  const delta = 2 ** Math.floor(Math.log2(largest / clippingNorm));
  const unit = 2 ** Math.floor(Math.log2(Math.min(2 ** 16, HEADROOM / cohort - 1)));
  return { delta, weight: unit, metric: unit };
}
