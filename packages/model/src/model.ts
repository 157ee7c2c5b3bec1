import { UsageError, type SeededRandom } from '@tutti/base';
import { towerShape, type TowerShape } from './tower-shape.ts';
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
    localLength: config.family === 'mf' ? config.dimension : towerShape(config).width,
    initialShared: (random) => initialShared(config, layout, random),
  };
}

type Shape = readonly [string, readonly number[], SharedParameter['role']];

function layoutOf(config: ModelConfig, items: number): SharedLayout {
  const shapes: readonly Shape[] =
    config.family === 'mf'
      ? [['items', [items, config.dimension], 'item-table']]
      : towerShapes(towerShape(config), items);
  let offset = 0;
  const parameters = shapes.map(([name, shape, role]): SharedParameter => {
    const length = shape.reduce((product, size) => product * size, 1);
    const parameter = { name, shape, role, offset, length };
    offset += length;
    return parameter;
  });
  return { parameters, length: offset };
}

/** Item rows and biases, hidden layers over [person, item (, person∘item)], and the heads of the towers there are. */
function towerShapes({ width, product, deep }: TowerShape, items: number): readonly Shape[] {
  const layers: Shape[] = [];
  let inputs = (deep?.size ?? 0) * (deep?.products === true ? 3 : 2);
  deep?.hidden.forEach((size, index) => {
    layers.push(
      [`hidden-${index}-kernel`, [inputs, size], 'dense'],
      [`hidden-${index}-bias`, [size], 'dense'],
    );
    inputs = size;
  });
  return [
    ['items', [items, width], 'item-table'],
    ['item-bias', [items, 1], 'item-table'],
    ...layers,
    ...(product > 0 ? [['product-kernel', [product, 1], 'dense'] as const] : []),
    ...(deep === undefined ? [] : [['output-kernel', [inputs, 1], 'dense'] as const]),
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
