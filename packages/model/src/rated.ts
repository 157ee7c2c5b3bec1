import type { LocalData } from './types.ts';

/** What a vector in closed form is to come near to: items, and a number for each. */
export interface Wished {
  readonly items: Int32Array;
  /** 1 for each item, where left out. */
  readonly targets?: Float32Array;
}

/** A person's items, each of which is wished for alike. */
export const wished = ({ positives }: LocalData): Wished => ({ items: positives });

/** What is left of a person's ratings once the mean of all and the items' own biases are taken from them. */
export function remainders(
  { positives, ratings }: LocalData,
  mean: number,
  biases: Float32Array,
): { readonly items: Int32Array; readonly targets: Float32Array } {
  const isRated = (_: number, at: number): boolean => !Number.isNaN(ratings?.[at] ?? Number.NaN);
  const items = positives.filter(isRated);
  const given = ratings?.filter(isRated) ?? new Float32Array(0);
  return { items, targets: given.map((rating, at) => rating - mean - Number(biases[Number(items[at])])) };
}
