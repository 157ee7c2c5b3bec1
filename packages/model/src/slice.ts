import { DecodeError, UsageError } from '@tutti/base';
import { sharedForms, sharedTensors } from './checkpoint.ts';
import { createModel } from './model.ts';
import { decodeTensors, encodeTensors } from './tensors.ts';
import type { Model, WholeTable } from './types.ts';

/**
 * Slices of a large catalogue: some rows of the item tables, and everything that is not a row. The model of a slice is the
 * same family with fewer items; its item k is row `rows[k]` of the catalogue. Rows are ascending and distinct.
 */

/** The model over `rows` rows of `model`'s catalogue. @throws {UsageError} for none, or more than there are. */
export function modelOfRows(model: Model, rows: number): Model {
  if (rows > model.items) throw new UsageError(`${rows} rows of a catalogue of ${model.items} items`);
  return rows === model.items ? model : createModel(model.config, rows);
}

/** One stretch of numbers that is the same in both layouts: `count` of them, at `whole` and at `part`. */
interface Stretch {
  readonly whole: number;
  readonly part: number;
  readonly count: number;
}

function stretchesOf(model: Model, part: Model, rows: Uint32Array): Stretch[] {
  return model.layout.parameters.flatMap(({ role, offset, length }, index): Stretch[] => {
    const to = part.layout.parameters[index] as (typeof part.layout.parameters)[number];
    if (role === 'dense') return [{ whole: offset, part: to.offset, count: length }];
    const width = length / model.items;
    return Array.from(rows, (row, position) => ({
      whole: offset + row * width,
      part: to.offset + position * width,
      count: width,
    }));
  });
}

/**
 * The numbers of `rows`, and all that is not a row, out of a vector of the whole layout (weights, or a moment of a strategy).
 * @returns a new vector in the layout of {@link modelOfRows}.
 */
export function takeRows(model: Model, whole: Float32Array, rows: Uint32Array): Float32Array {
  const part = modelOfRows(model, rows.length);
  const taken = new Float32Array(part.layout.length);
  for (const { whole: from, part: to, count } of stretchesOf(model, part, rows))
    taken.set(whole.subarray(from, from + count), to);
  return taken;
}

/** Writes what {@link takeRows} took back to where it was. Law: taking what was put gives the same numbers. */
export function putRowsInPlace(
  model: Model,
  whole: Float32Array,
  rows: Uint32Array,
  taken: Float32Array,
): void {
  const part = modelOfRows(model, rows.length);
  for (const { whole: to, part: from, count } of stretchesOf(model, part, rows))
    whole.set(taken.subarray(from, from + count), to);
}

/**
 * What a device needs of the rows that are not in its slice: how many rows there are in all and, for matrix factorisation, the
 * Gram matrix HᵀH of the whole item table (d × d, summed in float64). It says nothing about a person: it is a function of
 * the model, which is public.
 */
export function wholeTableOf(model: Model, shared: Float32Array): WholeTable {
  const { config, items } = model;
  if (config.family !== 'mf') return { items };
  const d = config.dimension;
  const gram = new Float64Array(d * d);
  for (let at = 0; at < items * d; at += d) {
    for (let i = 0; i < d; i++) {
      const value = shared[at + i] as number;
      for (let j = i; j < d; j++)
        gram[i * d + j] = (gram[i * d + j] as number) + value * (shared[at + j] as number);
    }
  }
  for (let i = 0; i < d; i++) for (let j = 0; j < i; j++) gram[i * d + j] = gram[j * d + i] as number;
  return { items, gram: Float32Array.from(gram) };
}

/** One round's slice as it is published. */
export interface PackedSlice {
  /** Rows of the head, ascending. The tail follows from the round, so it is not sent. */
  readonly head: Uint32Array;
  /** Weights of the slice's rows and of all that is not a row, in the layout of {@link modelOfRows}. */
  readonly shared: Float32Array;
  readonly whole: WholeTable;
}

/** A slice as bytes: head, weights and Gram matrix in the layout of safetensors; equal slices give equal bytes. */
export function encodeSlice(
  model: Model,
  { head, shared, whole }: PackedSlice,
  rows: number,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const d = model.config.dimension;
  return encodeTensors(
    [
      { name: 'head', dtype: 'U32', shape: [head.length], data: head },
      ...sharedTensors(modelOfRows(model, rows).layout, shared),
      ...(whole.gram === undefined
        ? []
        : [{ name: 'gram', dtype: 'F32', shape: [d, d], data: whole.gram } as const]),
    ],
    metadata,
  );
}

/**
 * A slice from outside: `rows` rows of `model`'s catalogue, `head` of them its head.
 * @throws {DecodeError} naming what does not fit; heads are ascending, distinct rows of the catalogue.
 */
export function decodeSlice(bytes: unknown, model: Model, form: { rows: number; head: number }): PackedSlice {
  const part = modelOfRows(model, form.rows);
  const { family, dimension: d } = model.config;
  const gramForms = family === 'mf' ? [{ name: 'gram', dtype: 'F32', shape: [d, d] } as const] : [];
  const tensors = decodeTensors(
    bytes,
    [{ name: 'head', dtype: 'U32', shape: [form.head] }, ...sharedForms(part.layout), ...gramForms],
    'slice',
  );
  const head = tensors.words('head');
  if (head.some((row, at) => row >= model.items || (at > 0 && row <= (head[at - 1] as number))))
    throw new DecodeError('slice.head', `is not ascending rows of a catalogue of ${model.items} items`);
  const shared = new Float32Array(part.layout.length);
  for (const { name, offset } of part.layout.parameters) shared.set(tensors.floats(name), offset);
  const gram = family === 'mf' ? { gram: tensors.floats('gram') } : {};
  return { head, shared, whole: { items: model.items, ...gram } };
}
