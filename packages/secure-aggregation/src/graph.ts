import { UsageError } from '@tutti/base';

/** Smallest group whose members masks protect, semi-honest. */
export const SMALLEST_COHORT = 16;

/** Largest group on a complete graph. */
export const LARGEST_COMPLETE_GRAPH = 128;

/** t = ⌊2k/3⌋ + 1 of a member's k = groupSize − 1 neighbours on the complete graph. */
export function thresholdFor(groupSize: number): number {
  if (!Number.isInteger(groupSize) || groupSize < 2)
    throw new UsageError(`a group of ${groupSize} has no threshold; at least 2 are needed`);
  return Math.floor((2 * (groupSize - 1)) / 3) + 1;
}

/** How many clients are asked to mask together. */
export interface CohortSizes {
  /** Clients wanted; more are never in a cohort. */
  readonly planned: number;
  /** Fewer end the attempt. */
  readonly smallest: number;
  /** Members of a group at most; a larger cohort is split into groups of nearly equal size. */
  readonly largestGroup: number;
}

/** Members of the smallest group that a cohort between smallest and planned can be split into. */
export function smallestGroup({ planned, smallest, largestGroup }: CohortSizes): number {
  const groups = Math.ceil(smallest / largestGroup);
  const whole = Math.floor(smallest / groups);
  // Just above a multiple of the largest group there is one group more; with many groups that shrinks them less.
  const split = groups * largestGroup + 1;
  return split > planned ? whole : Math.min(whole, Math.floor(split / (groups + 1)));
}

/**
 * Fewest clients that one group's unmasked sum, which the coordinator sees, can be over: one more than the threshold of the smallest group, since nobody
 * holds a share of its own secret.
 */
export function fewestSurvivors(sizes: CohortSizes): number {
  const members = smallestGroup(sizes);
  return members < 2 ? 1 : Math.min(members, thresholdFor(members) + 1);
}

/** Whether bit `index` of a bitmap over the roster is set. */
export function bitAt(bitmap: Uint8Array, index: number): boolean {
  return (((bitmap[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}

/** A bitmap over a roster of `size` with the bits of `indexes` set. */
export function bitmapOf(indexes: Iterable<number>, size: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(size / 8));
  for (const index of indexes) bitmap[index >> 3] = (bitmap[index >> 3] as number) | (1 << (index & 7));
  return bitmap;
}
