import { UsageError, utf8 } from '@tutti/base';
import { isFactorization } from './is-factorization.ts';
import { towerShape } from './tower-shape.ts';
import type { FactorizationConfig, Model, SharedParameter, Tensorflow, TowerConfig } from './types.ts';

type Symbolic = ReturnType<Tensorflow['input']>;
type LayersModel = ReturnType<Tensorflow['model']>;

/** Bytes of a shard, as TensorFlow.js writes them. */
const SHARD_BYTES = 2 ** 22;

/**
 * A model's scores as a TensorFlow.js layers model. Inputs: `person` (B × width), vectors as devices have them, and `item` (B × 1),
 * their numbers in the catalogue; output: scores (B × 1), those that {@link LoadedModel.score} gives up to the order of sums. It holds the
 * shared part alone; no vector of a person is in it, and none can be made with it.
 *
 * @param shared the weights in the model's layout.
 * @throws {UsageError} for an app's own model, which is defined in TensorFlow.js already.
 */
export function layersModel(tf: Tensorflow, model: Model, shared: Float32Array): LayersModel {
  const { config } = model;
  if (config.family === 'own')
    throw new UsageError(
      'an app’s own model is in TensorFlow.js already; export its checkpoint as safetensors',
    );
  const builder = new Builder(tf, model, shared);
  return isFactorization(config) ? builder.factorization(config) : builder.towers(config);
}

/** The files of a layers model that `tf.loadLayersModel` opens, by their names: `model.json` and shards of its weights. */
export async function layersFiles(
  tf: Tensorflow,
  model: Model,
  shared: Float32Array,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const layers = layersModel(tf, model, shared);
  const files = new Map<string, Uint8Array>();
  try {
    await layers.save(
      tf.io.withSaveHandler(async ({ modelTopology, weightSpecs = [], weightData, format, generatedBy }) => {
        const bytes = joined(weightData);
        const count = Math.max(1, Math.ceil(bytes.length / SHARD_BYTES));
        const paths = Array.from({ length: count }, (_, at) => `group1-shard${at + 1}of${count}.bin`);
        paths.forEach((path, at) =>
          files.set(path, bytes.subarray(at * SHARD_BYTES, (at + 1) * SHARD_BYTES)),
        );
        const weightsManifest = [{ paths, weights: weightSpecs }];
        const json = { format, generatedBy, convertedBy: null, modelTopology, weightsManifest };
        files.set('model.json', utf8(JSON.stringify(json)));
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
  } finally {
    layers.dispose();
  }
  return files;
}

function joined(data: ArrayBuffer | ArrayBuffer[] | undefined): Uint8Array {
  const parts = data === undefined ? [] : Array.isArray(data) ? data : [data];
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return bytes;
}

class Builder {
  readonly #person: Symbolic;
  readonly #item: Symbolic;

  constructor(
    private readonly tf: Tensorflow,
    private readonly model: Model,
    private readonly shared: Float32Array,
  ) {
    this.#person = tf.input({ shape: [model.localLength], name: 'person' });
    this.#item = tf.input({ shape: [1], dtype: 'int32', name: 'item' });
  }

  /** score = p·q_i, and of ratings + b_i + µ. */
  factorization(config: FactorizationConfig): LayersModel {
    const [table, bias] = this.model.layout.parameters as [SharedParameter, SharedParameter?];
    const row = this.#embedding('items', this.#rows(table, 0, config.dimension), config.dimension);
    const product = this.tf.layers.dot({ axes: 1, name: 'product' }).apply([this.#person, row]) as Symbolic;
    if (config.family !== 'mf' || config.loss !== 'mse' || bias === undefined) return this.#model(product);
    const mean = config.ratingMean ?? 0;
    const biases = this.#embedding(
      'item-bias',
      this.#part(bias).map((value) => value + mean),
      1,
    );
    return this.#model(this.tf.layers.add({ name: 'score' }).apply([product, biases]) as Symbolic);
  }

  /** score = k·(p∘q) + o·MLP(…) + b_i + c, each sum of products in one layer at the end. */
  towers(config: TowerConfig): LayersModel {
    const { width, product, deep } = towerShape(config);
    const [table, bias, ...dense] = this.model.layout.parameters as [SharedParameter, SharedParameter];
    const weights: SharedParameter[] = [...dense];
    const block = (name: string, from: number, size: number): [Symbolic, Symbolic] => [
      this.#personBlock(`person-${name}`, from, size, width),
      this.#embedding(`items-${name}`, this.#rows(table, from, size), size),
    ];
    const terms: Symbolic[] = [];
    const kernel: number[] = [];
    const head = (parameter: SharedParameter | undefined): void =>
      void kernel.push(...(parameter === undefined ? [] : this.#part(parameter)));
    if (deep !== undefined) {
      terms.push(
        this.#layers(config, deep.hidden, block('deep', deep.from, deep.size), deep.products, weights),
      );
      head(product > 0 ? weights.splice(1, 1)[0] : weights.shift());
    }
    if (product > 0) {
      const both = block('product', 0, product);
      terms.push(this.tf.layers.multiply({ name: 'product' }).apply(both) as Symbolic);
      head(weights.shift());
    }
    terms.push(this.#embedding('item-bias', this.#part(bias), 1));
    const mean = config.loss === 'mse' ? (config.ratingMean ?? 0) : 0;
    const constant = Array.from(
      weights[0] === undefined ? [0] : this.#part(weights[0]),
      (value) => value + mean,
    );
    const all = terms.length === 1 ? terms[0] : this.tf.layers.concatenate({ name: 'towers' }).apply(terms);
    return this.#model(this.#dense('score', all as Symbolic, [[...kernel, 1], constant]));
  }

  /** Hidden layers over the person, the item, and their product where the family shows it to them. Takes their weights off the list. */
  #layers(
    { activation = 'relu' }: TowerConfig,
    hidden: readonly number[],
    [person, row]: [Symbolic, Symbolic],
    products: boolean,
    weights: SharedParameter[],
  ): Symbolic {
    const { layers } = this.tf;
    const seen = [person, row, ...(products ? [layers.multiply({ name: 'both' }).apply([person, row])] : [])];
    let last = layers.concatenate({ name: 'shown' }).apply(seen as Symbolic[]) as Symbolic;
    hidden.forEach((units, at) => {
      const [kernel, bias] = weights.splice(0, 2) as [SharedParameter, SharedParameter];
      const both = [Array.from(this.#part(kernel)), Array.from(this.#part(bias))] as const;
      last = this.#dense(`hidden-${at + 1}`, last, both, { units, activation });
    });
    return last;
  }

  #dense(
    name: string,
    input: Symbolic,
    [kernel, bias]: readonly [number[], number[]],
    { units, activation = 'linear' }: { units: number; activation?: string } = { units: 1 },
  ): Symbolic {
    const weights = [this.tf.tensor2d(kernel, [kernel.length / units, units]), this.tf.tensor1d(bias)];
    const layer = this.tf.layers.dense({ name, units, activation: activation as 'linear', weights });
    const output = layer.apply(input) as Symbolic;
    this.tf.dispose(weights);
    return output;
  }

  /** Numbers of the person's vector from `from` on: a product with a part of the identity, which changes none of them. */
  #personBlock(name: string, from: number, size: number, width: number): Symbolic {
    if (from === 0 && size === width) return this.#person;
    const kernel = new Float32Array(width * size);
    for (let at = 0; at < size; at++) kernel[(from + at) * size + at] = 1;
    const weights = [this.tf.tensor2d(kernel, [width, size])];
    const layer = this.tf.layers.dense({ name, units: size, useBias: false, weights });
    const output = layer.apply(this.#person) as Symbolic;
    this.tf.dispose(weights);
    return output;
  }

  #embedding(name: string, rows: Float32Array, size: number): Symbolic {
    const { items } = this.model;
    const weights = [this.tf.tensor2d(rows, [items, size])];
    const layer = this.tf.layers.embedding({ name, inputDim: items, outputDim: size, weights });
    const looked = layer.apply(this.#item) as Symbolic;
    this.tf.dispose(weights);
    return this.tf.layers.flatten({ name: `${name}-row` }).apply(looked) as Symbolic;
  }

  #part({ offset, length }: SharedParameter): Float32Array {
    return this.shared.subarray(offset, offset + length);
  }

  /** Columns `from` to `from + size` of a table. */
  #rows(table: SharedParameter, from: number, size: number): Float32Array {
    const part = this.#part(table);
    const width = part.length / this.model.items;
    if (width === size) return part;
    return Float32Array.from({ length: this.model.items * size }, (_, at) => {
      return part[Math.floor(at / size) * width + from + (at % size)] as number;
    });
  }

  #model(outputs: Symbolic): LayersModel {
    return this.tf.model({ inputs: [this.#person, this.#item], outputs, name: this.model.config.family });
  }
}
