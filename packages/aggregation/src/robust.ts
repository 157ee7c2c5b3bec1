import { UsageError } from '@tutti/base';
import { InvalidUpdateError } from './errors.ts';

/**
 * The median of the groups' means in each coordinate; the mean of the middle two for an even number of groups.
 *
 * One group that lies cannot move a coordinate beyond what honest groups said, as long as honest groups are a majority:
 * the defence against poisoning that masks allow (secure-aggregation.md §4).
 *
 * @param means one mean delta for each group, all of one length. Not modified.
 * @throws {UsageError} for no group or unequal lengths.
 * @throws {InvalidUpdateError} for a number that is not finite.
 * @see Yin et al., Byzantine-Robust Distributed Learning, ICML 2018, Definition 1.
 */
export function coordinateMedian(means: readonly Float32Array[]): Float32Array {
  const low = (means.length - 1) >> 1;
  const high = means.length >> 1;
  return combine(means, (sorted) => ((sorted[low] as number) + (sorted[high] as number)) / 2);
}

/**
 * The mean of each coordinate over the groups, without its `trim` smallest and its `trim` largest values.
 *
 * @param trim whole number from 0, less than half the groups: so many lying groups on either side have no say.
 * @throws {UsageError} if nothing would be left, for no group or unequal lengths.
 * @throws {InvalidUpdateError} for a number that is not finite.
 * @see Yin et al. 2018, Definition 2.
 */
export function trimmedMean(means: readonly Float32Array[], trim: number): Float32Array {
  if (!Number.isInteger(trim) || trim < 0 || 2 * trim >= Math.max(1, means.length))
    throw new UsageError(`trimming ${trim} on each side of ${means.length} groups leaves nothing`);
  return combine(means, (sorted) => {
    let sum = 0;
    for (let i = trim; i < sorted.length - trim; i++) sum += sorted[i] as number;
    return sum / (sorted.length - 2 * trim);
  });
}

function combine(means: readonly Float32Array[], summary: (sorted: Float64Array) => number): Float32Array {
  const length = means[0]?.length;
  if (length === undefined || means.some((mean) => mean.length !== length))
    throw new UsageError('at least one group, all of one length, is needed');
  const column = new Float64Array(means.length);
  const combined = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    for (let group = 0; group < means.length; group++)
      insertInPlace(column, group, means[group]?.[i] as number);
    const value = summary(column);
    // An infinity or NaN among the values must not be sorted away: it says that a group's sum cannot be trusted.
    if (!(Number.isFinite(column[0]) && Number.isFinite(column[column.length - 1])))
      throw new InvalidUpdateError('means', 'hold a number that is not finite');
    combined[i] = value;
  }
  return combined;
}

/** Insertion sort, one value at a time: groups are few. */
function insertInPlace(sorted: Float64Array, count: number, value: number): void {
  // Sorting must not push these aside: they say that a group's mean is not one.
  if (!Number.isFinite(value)) throw new InvalidUpdateError('means', 'hold a number that is not finite');
  let at = count;
  for (; at > 0 && (sorted[at - 1] as number) > value; at--) sorted[at] = sorted[at - 1] as number;
  sorted[at] = value;
}
