import { UsageError } from '@tutti/base';
import type { SharedLayout, SharedParameter, TowerShape, TowerTraining } from '@tutti/model';
import { arena, padded, type Arena } from './arena.ts';
import type { Address, Setting } from './kernel.ts';

/** A neural model for the kernel: its towers, how it trains, and its shared layout over `items` rows. */
export interface TowerModel {
  readonly shape: TowerShape;
  readonly training: TowerTraining;
  readonly layout: SharedLayout;
  readonly items: number;
}

/** One matrix of the layers: dense in the shared vector, with whole vectors in each row in the kernel. */
export interface DenseBlock {
  /** First number in the shared vector. */
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly padded: number;
  /** Bytes from the beginning of the kernel's weights. */
  readonly within: number;
}

/** Where everything of a loaded model stands that does not depend on a person. */
export interface TowerPlaces {
  readonly settings: Partial<Record<Setting, number>>;
  readonly records: Int32Array;
  readonly blocks: readonly DenseBlock[];
  readonly shared: Address;
  readonly marks: Address;
  /** A vector or a row as the shared table has it. */
  readonly vector: Address;
  /** HᵀH of the item rows, and scratch of the closed form, in float64. */
  readonly gram: Address;
  readonly left: Address;
  readonly right: Address;
  readonly named: Address;
  readonly starts: Address;
  readonly logits: Address;
  /** Numbers of a padded row. */
  readonly row: number;
  /** Offsets in the shared vector of the item rows, the item biases and the layers, which come last. */
  readonly table: number;
  readonly biases: number;
  readonly dense: number;
  readonly end: Address;
}

/** Examples held at once where nothing but their sum is needed. */
export const CHUNK = 64;

/** Rows of a block (assembly/factorization.ts). */
export const BLOCK = 256;

/** Numbers of a layer's record (assembly/tower.ts). */
const RECORD = 10;

/** Lays out the kernel's memory for `model`. */
export function placeTower(model: TowerModel): TowerPlaces {
  const { shape, training, layout, items } = model;
  const { product, deep, width } = shape;
  const productPadded = padded(product);
  const deepPadded = padded(deep?.size ?? 0);
  const apart = deep !== undefined && deep.from > 0;
  const row = (apart ? productPadded + deepPadded : Math.max(productPadded, deepPadded)) + padded(1);
  const { blocks, within, floats } = placeBlocks(shape, layout);
  const room = arena();
  const line = (): Address => room.take(row);
  const dense = (): Address => room.take(floats);
  const capacity = Math.max(CHUNK, training.batchSize);
  const batch = (columns: number): Address => room.take(capacity * columns);
  const shared = room.take(layout.length);
  const [weights, gradients, starts] = [dense(), dense(), dense()];
  const logits = batch(1);
  const records = placeLayers(shape, within, { weights, gradients, batch, room });
  const [table, biases] = ['items', 'item-bias'].map((name) => parameterOf(layout, name).offset) as [
    number,
    number,
  ];
  const settings = {
    width,
    row,
    productSize: product,
    productPadded,
    deepSize: deep?.size ?? 0,
    deepPadded,
    deepDense: deep?.from ?? 0,
    deepFrom: apart ? productPadded : 0,
    products: deep?.products === true ? 1 : 0,
    layers: deep?.hidden.length ?? 0,
    table: shared + 4 * table,
    biases: shared + 4 * biases,
    weights,
    gradients,
    starts,
    denseFloats: floats,
    layerRecords: room.take(records.length),
    ...within.named,
    person: line(),
    head: line(),
    productSums: line(),
    batchRows: batch(row),
    rowGradients: batch(row),
    logits,
    slopes: batch(1),
    // The closed form of the person's vector, over the same rows (assembly/factorization.ts).
    dimension: width,
    padded: padded(width),
    factors: shared + 4 * table,
    block: room.take(BLOCK * padded(width)),
    product: room.take(width * padded(width)),
    vector: room.take(padded(width)),
  };
  const systems = {
    gram: room.take(width * width, 8),
    left: room.take(width * width, 8),
    right: room.take(width, 8),
  };
  const rest = { marks: room.take(items), named: room.take(CHUNK) };
  return {
    settings,
    records,
    blocks,
    shared,
    starts,
    logits,
    row,
    table,
    biases,
    dense: biases + items,
    vector: settings.vector,
    ...systems,
    ...rest,
    end: room.end,
  };
}

/** Matrices of the layers inside the kernel's weights. */
interface Within {
  /** Kernels and biases of the hidden layers, in bytes from the beginning. */
  readonly kernels: readonly number[];
  readonly layerBiases: readonly number[];
  readonly named: Record<
    | 'personKernel'
    | 'itemKernel'
    | 'productsKernel'
    | 'firstBias'
    | 'productHead'
    | 'outputKernel'
    | 'outputBias',
    number
  >;
}

/** Puts the layers' matrices one behind the other. The first layer's kernel is three: for person, item and their product. */
function placeBlocks(
  { product, deep }: TowerShape,
  layout: SharedLayout,
): { blocks: readonly DenseBlock[]; within: Within; floats: number } {
  const blocks: DenseBlock[] = [];
  let floats = 0;
  const put = (name: string, rows: number, columns: number, firstRow = 0): number => {
    const within = 4 * floats;
    blocks.push({
      offset: parameterOf(layout, name).offset + firstRow * columns,
      rows,
      columns,
      padded: padded(columns),
      within,
    });
    floats += rows * padded(columns);
    return within;
  };
  const { size = 0, products = false, hidden = [] } = deep ?? {};
  const part = (index: number): number => put('hidden-0-kernel', size, hidden[0] as number, index * size);
  const first = hidden.length === 0 ? [0, 0, 0] : [part(0), part(1), products ? part(2) : 0];
  const layerBiases = hidden.map((units, index) => put(`hidden-${index}-bias`, 1, units));
  const kernels = hidden.map((units, index) =>
    index === 0 ? (first[1] as number) : put(`hidden-${index}-kernel`, hidden[index - 1] as number, units),
  );
  const named = {
    personKernel: first[0] as number,
    itemKernel: first[1] as number,
    productsKernel: first[2] as number,
    firstBias: layerBiases[0] ?? 0,
    // A column in the shared vector is a row here.
    productHead: product > 0 ? put('product-kernel', 1, product) : 0,
    outputKernel: deep === undefined ? 0 : put('output-kernel', 1, hidden.at(-1) ?? size),
    outputBias: put('output-bias', 1, 1),
  };
  return { blocks, within: { kernels, layerBiases, named }, floats };
}

/** The layers' records: sizes, weights, and scratch for activations, slopes, merged and transposed kernels. */
function placeLayers(
  { deep }: TowerShape,
  { kernels, layerBiases }: Within,
  places: { weights: Address; gradients: Address; batch: (columns: number) => Address; room: Arena },
): Int32Array {
  const { size = 0, products = false, hidden = [] } = deep ?? {};
  const { weights, gradients, batch, room } = places;
  const records = hidden.flatMap((outputs, index) => {
    const inputs = index === 0 ? size : (hidden[index - 1] as number);
    const columns = padded(outputs);
    const [kernel, bias] = [kernels[index] as number, layerBiases[index] as number];
    const merged = index === 0 && products;
    return [
      inputs,
      outputs,
      columns,
      merged ? room.take(inputs * columns) : weights + kernel,
      index === 0 ? room.take(columns) : weights + bias,
      batch(columns),
      batch(columns),
      room.take(columns * padded(inputs)),
      gradients + kernel,
      gradients + bias,
    ];
  });
  return Int32Array.from(records.length === 0 ? new Array<number>(RECORD).fill(0) : records);
}

function parameterOf(layout: SharedLayout, name: string): SharedParameter {
  const found = layout.parameters.find((parameter) => parameter.name === name);
  if (found === undefined) throw new UsageError(`the layout has no ${name}`);
  return found;
}
