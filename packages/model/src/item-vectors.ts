import type { Model } from './types.ts';

/** A vector for each item, in catalogue order: row i is `values` from i · dimension. */
export interface ItemVectors {
  readonly dimension: number;
  readonly values: Float32Array;
}

/**
 * The vectors of a checkpoint's items: the rows of all item tables side by side. Tables of one column (biases) say how much everybody
 * likes an item, not what it is like, and are left out.
 * @param shared in the model's layout.
 */
export function itemVectors({ items, layout }: Model, shared: Float32Array): ItemVectors {
  const tables = layout.parameters.filter(({ role, length }) => role === 'item-table' && length > items);
  const dimension = tables.reduce((sum, { length }) => sum + length / items, 0);
  const values = new Float32Array(items * dimension);
  let column = 0;
  for (const { offset, length } of tables) {
    const width = length / items;
    for (let item = 0; item < items; item++)
      values.set(
        shared.subarray(offset + item * width, offset + (item + 1) * width),
        item * dimension + column,
      );
    column += width;
  }
  return { dimension, values };
}

/** Every vector at length 1, so that a product of two is their cosine. A vector of zeros stays. */
export function unitVectors({ dimension, values }: ItemVectors): ItemVectors {
  const unit = values.slice();
  for (let from = 0; from < unit.length; from += dimension) {
    let squares = 0;
    for (let at = from; at < from + dimension; at++) squares += (unit[at] as number) ** 2;
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let at = from; at < from + dimension; at++) unit[at] = (unit[at] as number) * scale;
  }
  return { dimension, values: unit };
}

/** The product of two items' vectors. */
export function productOf({ dimension, values }: ItemVectors, one: number, other: number): number {
  let sum = 0;
  for (let at = 0; at < dimension; at++)
    sum += (values[one * dimension + at] as number) * (values[other * dimension + at] as number);
  return sum;
}
