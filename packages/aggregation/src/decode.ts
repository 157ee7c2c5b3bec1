import { UsageError } from '@tutti/base';
import type { LaneLayout, LaneScale } from './layout.ts';

/** What a cohort's sum says. */
export interface AggregatedUpdate {
  /** Σw·x / Σw, trained minus initial; with row counts, a row of an item table is Σw·x over its own count. float32. */
  readonly meanDelta: Float32Array;
  /** Σw over the survivors. */
  readonly totalWeight: number;
  /** Share of the survivors whose delta was clipped; under noise it can leave [0, 1]. null where the lane was not asked for. */
  readonly clippedShare: number | null;
  /** Sums (not means) of the metric lanes. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Clients in the sums. */
  readonly survivors: number;
  /** For each item row, Σw of the clients that touched it. */
  readonly rowCounts?: Float64Array;
}

/** An item table inside the delta: layout.rowCounts rows of `width` numbers from lane `offset`. */
export interface RowTable {
  readonly offset: number;
  readonly width: number;
}

/**
 * The mean update that the sums of several groups add up to.
 *
 * Sums are signed ring words after unmasking; groups are added in float64, where 2²² sums of 2³¹ are exact. Where the
 * layout counts rows, each row of each item table is divided by that row's count instead of Σw; a row that nobody touched
 * moves by nothing. Row counts carry no noise: they are for rounds without differential privacy.
 *
 * @param sums one for each group, each layout.length lanes. Not modified.
 * @param survivors clients in all the sums together.
 * @param options `rowTables`: the item tables inside the delta. Needed where the layout counts rows, unless the whole
 *   delta is one table. `clipIndicator`: whether clients filled the clip lane; they do by default.
 * @throws {UsageError} if a sum has another length than the layout, there is none, or the tables do not fit the delta.
 */
export function decodeSum(
  layout: LaneLayout,
  scale: LaneScale,
  sums: readonly Int32Array[],
  survivors: number,
  options: { rowTables?: readonly RowTable[]; clipIndicator?: boolean } = {},
): AggregatedUpdate {
  if (!Number.isInteger(survivors) || survivors < 0)
    throw new UsageError(`${survivors} survivors; a whole number from 0 is needed`);
  const { offsets } = layout;
  const total = addGroups(layout, sums);
  const weightLane = total[offsets.weight] as number;
  const meanDelta = meanOf(total, layout.deltaLength, (weightLane * scale.delta) / scale.weight);
  const rowCounts = Float64Array.from(
    total.subarray(offsets.rowCounts, offsets.weight),
    (lane) => lane / scale.weight,
  );
  if (layout.rowCounts > 0) {
    const tables = options.rowTables ?? wholeDelta(layout);
    for (const table of tables) rowMeansInPlace(meanDelta, total, rowCounts, table, scale.delta);
  }
  return {
    meanDelta,
    totalWeight: weightLane / scale.weight,
    clippedShare:
      options.clipIndicator === false
        ? null
        : clippedShareOf(total[offsets.clip] as number, scale, survivors),
    metrics: Object.fromEntries(
      layout.metrics.map((name, index) => [name, (total[offsets.metrics + index] as number) / scale.metric]),
    ),
    survivors,
    ...(layout.rowCounts === 0 ? {} : { rowCounts }),
  };
}

/** The lane is the sum of +½ for each delta that was not clipped and −½ for each that was. */
function clippedShareOf(lane: number, { weight }: LaneScale, survivors: number): number {
  return survivors === 0 ? 0 : 0.5 - lane / weight / survivors;
}

/** Lanes of all groups together. */
type Total = Float64Array | Int32Array;

/** One group is its own total. */
function addGroups(layout: LaneLayout, sums: readonly Int32Array[]): Total {
  const wrong = sums.find((sum) => sum.length !== layout.length);
  if (wrong !== undefined)
    throw new UsageError(`a sum of ${wrong.length} lanes; the layout has ${layout.length}`);
  const [only, ...others] = sums;
  if (only === undefined) throw new UsageError('no sums; that of at least one group is needed');
  if (others.length === 0) return only;
  const total = new Float64Array(layout.length);
  for (const sum of sums)
    for (let i = 0; i < sum.length; i++) total[i] = (total[i] as number) + (sum[i] as number);
  return total;
}

/** Zeros where nobody is in the sum. */
function meanOf(total: Total, length: number, divisor: number): Float32Array {
  const mean = new Float32Array(length);
  if (divisor > 0) for (let i = 0; i < length; i++) mean[i] = (total[i] as number) / divisor;
  return mean;
}

function wholeDelta({ deltaLength, rowCounts }: LaneLayout): readonly RowTable[] {
  if (deltaLength % rowCounts !== 0)
    throw new UsageError(
      `${deltaLength} delta lanes are not one table of ${rowCounts} rows; rowTables says which of them are`,
    );
  return [{ offset: 0, width: deltaLength / rowCounts }];
}

function rowMeansInPlace(
  meanDelta: Float32Array,
  total: Total,
  rowCounts: Float64Array,
  { offset, width }: RowTable,
  deltaScale: number,
): void {
  const whole = [offset, width].every((value) => Number.isInteger(value) && value >= 0);
  if (!whole || offset + width * rowCounts.length > meanDelta.length)
    throw new UsageError(
      `a table of ${rowCounts.length} rows of ${width} from lane ${offset} does not stand in ${meanDelta.length} delta lanes`,
    );
  for (const [row, count] of rowCounts.entries()) {
    const divisor = count * deltaScale;
    for (let i = offset + row * width; i < offset + (row + 1) * width; i++)
      meanDelta[i] = divisor > 0 ? (total[i] as number) / divisor : 0;
  }
}
