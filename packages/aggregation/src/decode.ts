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
  checkGroups(layout, sums);
  const weightLane = totalOf(sums, offsets.weight);
  const meanDelta = meanOf(sums, layout.deltaLength, (weightLane * scale.delta) / scale.weight);
  const rowCounts = Float64Array.from(
    { length: offsets.weight - offsets.rowCounts },
    (_, row) => totalOf(sums, offsets.rowCounts + row) / scale.weight,
  );
  if (layout.rowCounts > 0) {
    const tables = options.rowTables ?? wholeDelta(layout);
    for (const table of tables) rowMeansInPlace(meanDelta, sums, rowCounts, table, scale.delta);
  }
  return {
    meanDelta,
    totalWeight: weightLane / scale.weight,
    clippedShare:
      options.clipIndicator === false ? null : clippedShareOf(totalOf(sums, offsets.clip), scale, survivors),
    metrics: Object.fromEntries(
      layout.metrics.map((name, index) => [name, totalOf(sums, offsets.metrics + index) / scale.metric]),
    ),
    survivors,
    ...(layout.rowCounts === 0 ? {} : { rowCounts }),
  };
}

/** The lane is the sum of +½ for each delta that was not clipped and −½ for each that was. */
function clippedShareOf(lane: number, { weight }: LaneScale, survivors: number): number {
  return survivors === 0 ? 0 : 0.5 - lane / weight / survivors;
}

function checkGroups(layout: LaneLayout, sums: readonly Int32Array[]): void {
  if (sums.length === 0) throw new UsageError('no sums; that of at least one group is needed');
  const wrong = sums.find((sum) => sum.length !== layout.length);
  if (wrong !== undefined)
    throw new UsageError(`a sum of ${wrong.length} lanes; the layout has ${layout.length}`);
}

/** A lane of all groups together. */
function totalOf(sums: readonly Int32Array[], lane: number): number {
  let total = 0;
  for (let group = 0; group < sums.length; group++) total += (sums[group] as Int32Array)[lane] as number;
  return total;
}

/** Lanes that are added up at a time: their totals stay in the processor's cache while one sum after the other is read. */
const BLOCK = 4_096;

/** Zeros where nobody is in the sum. */
function meanOf(sums: readonly Int32Array[], length: number, divisor: number): Float32Array {
  const mean = new Float32Array(length);
  if (!(divisor > 0)) return mean;
  const totals = new Float64Array(BLOCK);
  for (let from = 0; from < length; from += BLOCK) {
    const part = mean.subarray(from, from + BLOCK);
    totals.fill(0);
    for (const sum of sums) addLanes(totals, sum.subarray(from, from + part.length));
    for (let i = 0; i < part.length; i++) part[i] = (totals[i] as number) / divisor;
  }
  return mean;
}

function addLanes(totals: Float64Array, lanes: Int32Array): void {
  for (let i = 0; i < lanes.length; i++) totals[i] = (totals[i] as number) + (lanes[i] as number);
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
  sums: readonly Int32Array[],
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
      meanDelta[i] = divisor > 0 ? totalOf(sums, i) / divisor : 0;
  }
}
