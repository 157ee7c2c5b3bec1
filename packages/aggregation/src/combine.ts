import { decodeSum, type AggregatedUpdate, type RowTable } from './decode.ts';
import type { LaneLayout, LaneScale } from './layout.ts';
import { coordinateMedian, trimmedMean } from './robust.ts';

/** How the groups of a round become one mean update. */
export const COMBINATIONS = ['mean', 'median', 'trimmed-mean'] as const;
export type Combination = (typeof COMBINATIONS)[number];

/** Groups from which a robust combination can leave one out. */
export const FEWEST_ROBUST_GROUPS = 3;

/** One group's sum, and over how many clients it is. */
export interface GroupSum {
  /** layout.length signed ring words after unmasking. Not modified. */
  readonly sum: Int32Array;
  readonly survivors: number;
}

/**
 * The update of a round of several groups. `mean` adds the groups; the others take each coordinate's median, or its mean without
 * the outer quarter on either side (at least one group from three on), over the means of the groups, each with one vote whatever
 * its size. Weights and metrics are of all groups together either way.
 *
 * @throws {UsageError} for no group, or sums of another length than the layout.
 * @see secure-aggregation.md §4: the defence against poisoning that masks allow.
 */
export function combineGroups(
  combination: Combination,
  groups: readonly GroupSum[],
  layout: LaneLayout,
  scale: LaneScale,
  options: { rowTables?: readonly RowTable[]; clipIndicator?: boolean } = {},
): AggregatedUpdate {
  const survivors = groups.reduce((total, group) => total + group.survivors, 0);
  const sums = groups.map(({ sum }) => sum);
  const whole = decodeSum(layout, scale, sums, survivors, options);
  if (combination === 'mean') return whole;
  const means = groups.map(
    (group) => decodeSum(layout, scale, [group.sum], group.survivors, options).meanDelta,
  );
  const meanDelta =
    combination === 'median' ? coordinateMedian(means) : trimmedMean(means, outerOf(means.length));
  return { ...whole, meanDelta };
}

const outerOf = (groups: number): number =>
  groups < FEWEST_ROBUST_GROUPS ? 0 : Math.max(1, Math.floor(groups / 4));
