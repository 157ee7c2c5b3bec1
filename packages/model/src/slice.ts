import { DecodeError, UsageError } from '@tutti/base';
import { sharedForms, sharedTensors, weightsOf } from './checkpoint.ts';
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

/** Where the numbers of a slice stand in the whole. */
export interface SliceCoordinates {
  /** For each number in the layout of {@link modelOfRows}, its place in the whole layout. */
  readonly places: Uint32Array;
  /** For each of them, which of the slice's rows it belongs to, or −1 where it is not a row's. */
  readonly positions: Int32Array;
}

/** Where the numbers of `rows`, and all that is not a row, stand in a vector of the whole layout. */
export function sliceCoordinates(model: Model, rows: Uint32Array): SliceCoordinates {
  const part = modelOfRows(model, rows.length);
  const places = new Uint32Array(part.layout.length);
  const positions = new Int32Array(part.layout.length).fill(-1);
  part.layout.parameters.forEach(({ role, offset: to, length }, index) => {
    const { offset: from } = model.layout.parameters[index] as { offset: number };
    const width = role === 'dense' ? length : length / rows.length;
    for (let i = 0; i < length; i++) {
      const position = Math.floor(i / width);
      const row = role === 'dense' ? 0 : (rows[position] as number);
      places[to + i] = from + row * width + (i - position * width);
      if (role === 'item-table') positions[to + i] = position;
    }
  });
  return { places, positions };
}

/**
 * The numbers of `rows`, and all that is not a row, out of a vector of the whole layout (weights, or a moment of a strategy).
 * @returns a new vector in the layout of {@link modelOfRows}.
 */
export function takeRows(model: Model, whole: Float32Array, rows: Uint32Array): Float32Array {
  return Float32Array.from(sliceCoordinates(model, rows).places, (place) => whole[place] as number);
}

/** Writes what {@link takeRows} took back to where it was. Law: taking what was put gives the same numbers. */
export function putRowsInPlace(
  model: Model,
  whole: Float32Array,
  rows: Uint32Array,
  taken: Float32Array,
): void {
  sliceCoordinates(model, rows).places.forEach((place, i) => (whole[place] = taken[i] as number));
}

/**
 * What a device needs of the rows that are not in its slice: how many rows there are in all, and the
 * Gram matrix HᵀH of the whole item table (d × d, summed in float64). It says nothing about a person: it is a function of
 * the model, which is public.
 */
export function wholeTableOf(model: Model, shared: Float32Array): WholeTable {
  const { items, localLength: d } = model;
  if (model.config.family === 'own') return { items };
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

/** Rows and columns of the Gram matrix that travels with a slice; 0 for families that need none. */
const gramSize = ({ config, localLength }: Model): number => (config.family === 'own' ? 0 : localLength);

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
  const d = gramSize(model);
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
  const d = gramSize(model);
  const gramForms = d > 0 ? [{ name: 'gram', dtype: 'F32', shape: [d, d] } as const] : [];
  const tensors = decodeTensors(
    bytes,
    [{ name: 'head', dtype: 'U32', shape: [form.head] }, ...sharedForms(part.layout), ...gramForms],
    'slice',
  );
  const head = tensors.words('head');
  if (head.some((row, at) => row >= model.items || (at > 0 && row <= (head[at - 1] as number))))
    throw new DecodeError('slice.head', `is not ascending rows of a catalogue of ${model.items} items`);
  const gram = d > 0 ? { gram: tensors.floats('gram', new Float32Array(d * d)) } : {};
  return { head, shared: weightsOf(tensors, part.layout), whole: { items: model.items, ...gram } };
}
