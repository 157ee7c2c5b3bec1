import { UsageError } from '@tutti/base';

/** Robust combination of the groups' means, coordinate by coordinate: the defence against poisoning that masks allow. */

/** The median of the groups in each coordinate; the mean of the middle two for an even number. */
export function coordinateMedian(means: readonly Float32Array[]): Float32Array {
  return combine(means, (sorted) => {
    const middle = sorted.length >> 1;
    const upper = sorted[middle] as number;
    return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
  });
}

/** The mean of each coordinate without its `trim` smallest and largest values. @throws {UsageError} if nothing would be left. */
export function trimmedMean(means: readonly Float32Array[], trim: number): Float32Array {
  if (!Number.isInteger(trim) || trim < 0 || 2 * trim >= means.length) {
    throw new UsageError(`trimming ${trim} on each side of ${means.length} groups leaves nothing`);
  }
  return combine(means, (sorted) => {
    let sum = 0;
    for (let i = trim; i < sorted.length - trim; i++) sum += sorted[i] as number;
    return sum / (sorted.length - 2 * trim);
  });
}

function combine(means: readonly Float32Array[], of: (sorted: Float64Array) => number): Float32Array {
  const length = means[0]?.length ?? 0;
  if (means.length === 0 || means.some((mean) => mean.length !== length)) throw new UsageError('at least one group, all of one length, is needed');
  const column = new Float64Array(means.length);
  return Float32Array.from({ length }, (_, i) => {
    means.forEach((mean, group) => (column[group] = mean[i] as number));
    return of(column.sort());
  });
}
