import { canonicalJson, UsageError, type SeededRandom } from '@tutti/base';
import type { OwnConfig } from './own-config.ts';
import { pullLength } from './content/pull.ts';
import { isFactorization } from './is-factorization.ts';
import { towerShape, type TowerShape } from './tower-shape.ts';
import type { Model, ModelConfig, SharedLayout, SharedParameter } from './types.ts';

/** Largest catalogue. Above 16,384 items it travels in slices (secure-aggregation.md §5). */
const MOST_ITEMS = 1_048_576;

/** The shape of a family for a catalogue of `items`. */
export function createModel(config: ModelConfig, items: number): Model {
  if (!Number.isInteger(items) || items < 1 || items > MOST_ITEMS)
    throw new UsageError(`a catalogue of ${items} items; 1 to ${MOST_ITEMS} are allowed`);
  return { config, items, layout: layoutOf(config, items), localLength: localLengthOf(config) };
}

type Shape = readonly [string, readonly number[], SharedParameter['role']];

/** A person's vector; of an app's own model also the latest items that it is shown. */
function localLengthOf(config: ModelConfig): number {
  if (config.family === 'own') return config.local + config.window;
  return isFactorization(config) ? config.dimension : towerShape(config).width;
}

function layoutOf(config: ModelConfig, items: number): SharedLayout {
  const shapes = shapesOf(config, items);
  let offset = 0;
  const parameters = shapes.map(([name, shape, role]): SharedParameter => {
    const length = shape.reduce((product, size) => product * size, 1);
    const parameter = { name, shape, role, offset, length };
    offset += length;
    return parameter;
  });
  return { parameters, length: offset };
}

function shapesOf(config: ModelConfig, items: number): readonly Shape[] {
  switch (config.family) {
    case 'mf':
      return [
        ['items', [items, config.dimension], 'item-table'],
        ...(config.loss === 'mse' ? [['item-bias', [items, 1], 'item-table'] as const] : []),
      ];
    case 'content':
      return [
        ['items', [items, config.dimension], 'item-table'],
        ['pull', [pullLength(config.dimension)], 'dense'],
      ];
    case 'own':
      return config.shared.map(({ name, perItem, shape }) =>
        perItem ? [name, [items, ...shape], 'item-table'] : [name, shape, 'dense'],
      );
    default:
      return towerShapes(towerShape(config), items);
  }
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
export function initialShared({ config, layout }: Model, random: SeededRandom): Float32Array {
  const shared = new Float32Array(layout.length);
  for (const { name, shape, offset, length } of layout.parameters) {
    const stream = random.fork('initial', name);
    const spread = config.family === 'own' ? ownSpread(config, name) : spreadOf(name, shape);
    const ones = config.family !== 'own' && name === 'product-kernel';
    for (let i = 0; i < length; i++)
      shared[offset + i] = ones ? 1 : spread === 0 ? 0 : spread * stream.normal();
    // A person's first number begins as a bias of their ratings.
    if ('loss' in config && config.loss === 'mse' && name === 'items')
      for (let row = 0; row < length; row += shape[1] as number) shared[offset + row] = 1;
  }
  return shared;
}

const ownSpread = ({ shared }: OwnConfig, named: string): number =>
  shared.find(({ name }) => name === named)?.spread ?? 0;

function spreadOf(name: string, shape: readonly number[]): number {
  if (name === 'items') return 0.1;
  if (name === 'pull' || name.endsWith('bias')) return 0;
  return Math.sqrt(2 / (shape[0] as number)) * (name === 'output-kernel' ? 0.1 : 1);
}

/** What the layout hash is made from: two sides with equal text train the same model on the same rows. */
export function layoutFingerprint(model: Model): string {
  return canonicalJson({ config: model.config, items: model.items, layout: model.layout.parameters });
}
