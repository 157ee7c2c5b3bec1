import { UsageError, type SeededRandom } from '@tutti/base';
import type { Model, ModelConfig, SharedLayout, SharedParameter } from './types.ts';

/** Largest catalogue. Above 16,384 items it travels in slices (secure-aggregation.md §5). */
const MOST_ITEMS = 1_048_576;

/** The shape of a family for a catalogue of `items`. */
export function createModel(config: ModelConfig, items: number): Model {
  if (!Number.isInteger(items) || items < 1 || items > MOST_ITEMS)
    throw new UsageError(`a catalogue of ${items} items; 1 to ${MOST_ITEMS} are allowed`);
  const layout = layoutOf(config, items);
  return {
    config,
    items,
    layout,
    localLength: config.dimension,
    initialShared: (random) => initialShared(config, layout, random),
  };
}

function layoutOf(config: ModelConfig, items: number): SharedLayout {
  const table = ['items', [items, config.dimension], 'item-table'] as const;
  const shapes: readonly (readonly [string, readonly number[], SharedParameter['role']])[] =
    config.family === 'mf'
      ? [table]
      : [table, ['item-bias', [items, 1], 'item-table'], ...denseShapes(config.dimension, config.hidden)];
  let offset = 0;
  const parameters = shapes.map(([name, shape, role]): SharedParameter => {
    const length = shape.reduce((product, size) => product * size, 1);
    const parameter = { name, shape, role, offset, length };
    offset += length;
    return parameter;
  });
  return { parameters, length: offset };
}

/** Hidden layers over [person, item, person∘item], and the output over the product and the last layer. */
function denseShapes(
  dimension: number,
  hidden: readonly number[],
): (readonly [string, readonly number[], 'dense'])[] {
  const shapes: (readonly [string, readonly number[], 'dense'])[] = [];
  let width = 3 * dimension;
  hidden.forEach((size, index) => {
    shapes.push(
      [`hidden-${index}-kernel`, [width, size], 'dense'],
      [`hidden-${index}-bias`, [size], 'dense'],
    );
    width = size;
  });
  return [
    ...shapes,
    ['product-kernel', [dimension, 1], 'dense'],
    ['output-kernel', [width, 1], 'dense'],
    ['output-bias', [1], 'dense'],
  ];
}

/** Tables start near 0, hidden layers by He et al. 2015, the product head as a plain dot product. */
function initialShared(config: ModelConfig, layout: SharedLayout, random: SeededRandom): Float32Array {
  const shared = new Float32Array(layout.length);
  for (const { name, shape, offset, length } of layout.parameters) {
    const stream = random.fork('initial', name);
    const spread = spreadOf(name, shape);
    for (let i = 0; i < length; i++)
      shared[offset + i] = name === 'product-kernel' ? 1 : spread === 0 ? 0 : spread * stream.normal();
  }
  return shared;
}

function spreadOf(name: string, shape: readonly number[]): number {
  if (name === 'items') return 0.1;
  if (name.endsWith('bias')) return 0;
  return Math.sqrt(2 / (shape[0] as number)) * (name === 'output-kernel' ? 0.1 : 1);
}
