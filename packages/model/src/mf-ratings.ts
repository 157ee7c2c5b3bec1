import { keepLocal, type LocalOnly } from '@tutti/base';
import { withCheckedItems } from './check-items.ts';
import { openLocalSolve } from './local-solve.ts';
import { bestOf } from './ranking.ts';
import { remainders } from './rated.ts';
import type {
  BackendName,
  LoadedModel,
  LocalData,
  LocalUpdate,
  MfConfig,
  Model,
  SharedParameter,
  Tensorflow,
  TrainingEngine,
} from './types.ts';

type Matrix = ReturnType<Tensorflow['tensor2d']>;

/**
 * Matrix factorisation of ratings, federated: r ≈ µ + b_i + h_i·w. The device solves its person's vector w by ridge regression on what
 * they rated, and its delta is minus half the gradient of its own squares: −e·w for the row of an item it rated, −e for the item's bias,
 * with e = predicted − rated. The first column of the table starts at 1, so that a person's first number begins as a bias of theirs.
 *
 * @see Koren, Bell & Volinsky, Matrix factorization techniques for recommender systems, Computer 2009.
 */
export function createRatingsEngine(
  model: Model,
  config: MfConfig,
  tf: Tensorflow,
  backend: BackendName,
): TrainingEngine {
  return {
    model,
    engine: 'tfjs',
    backend,
    async load(shared, whole = { items: model.items }) {
      const [tableAt, biasAt] = model.layout.parameters as [SharedParameter, SharedParameter];
      const weights = Float32Array.from(shared);
      const table = tf.tensor2d(weights.subarray(tableAt.offset, tableAt.offset + tableAt.length), [
        model.items,
        config.dimension,
      ]);
      const solve = await openLocalSolve(tf, table, config, whole);
      return new LoadedRatings(model, config, tf, { table, solve, weights, biasAt }).checked();
    },
  };
}

/** A checkpoint of a model of ratings. */
interface Parts {
  readonly table: Matrix;
  readonly solve: Awaited<ReturnType<typeof openLocalSolve>>;
  readonly weights: Float32Array;
  readonly biasAt: SharedParameter;
}

class LoadedRatings implements LoadedModel {
  readonly #mean: number;
  readonly #biases: Float32Array;

  constructor(
    private readonly model: Model,
    private readonly config: MfConfig,
    private readonly tf: Tensorflow,
    private readonly parts: Parts,
  ) {
    const { weights, biasAt } = parts;
    this.#mean = config.ratingMean ?? 0;
    this.#biases = weights.subarray(biasAt.offset, biasAt.offset + biasAt.length);
  }

  checked(): LoadedModel {
    return withCheckedItems(this.model.items, this);
  }

  async train(local: LocalOnly<Float32Array> | undefined, data: LocalData): Promise<LocalUpdate> {
    const { dimension: d } = this.config;
    const vector = local ?? (await this.personalize(undefined, data));
    const { items, targets } = remainders(data, this.#mean, this.#biases);
    const delta = new Float32Array(this.model.layout.length);
    const products = await this.#products(vector, items);
    let loss = 0;
    items.forEach((item, at) => {
      const error = (products[at] as number) - (targets[at] as number);
      loss += error * error;
      for (let j = 0; j < d; j++) delta[item * d + j] = -error * (vector[j] as number);
      delta[this.parts.biasAt.offset + item] = -error;
    });
    return {
      delta,
      local: vector,
      loss: loss / Math.max(1, items.length),
      examples: items.length,
      touchedRows: keepLocal(items),
    };
  }

  async personalize(
    _local: LocalOnly<Float32Array> | undefined,
    data: LocalData,
  ): Promise<LocalOnly<Float32Array>> {
    const { items, targets } = remainders(data, this.#mean, this.#biases);
    return keepLocal(await this.parts.solve(items, targets));
  }

  async score(local: LocalOnly<Float32Array>, items?: Int32Array): Promise<LocalOnly<Float32Array>> {
    const products = await this.#products(local, items);
    return keepLocal(
      products.map((product, at) => product + this.#mean + Number(this.#biases[items?.[at] ?? at])),
    );
  }

  async rank(
    local: LocalOnly<Float32Array>,
    options: Parameters<LoadedModel['rank']>[1],
  ): ReturnType<LoadedModel['rank']> {
    return keepLocal(bestOf(await this.score(local), options));
  }

  dispose(): void {
    this.parts.table.dispose();
  }

  async #products(vector: Float32Array, items?: Int32Array): Promise<Float32Array> {
    const { tf, parts } = this;
    if (items?.length === 0) return new Float32Array(0);
    const product = tf.tidy(() => {
      const rows = items === undefined ? parts.table : tf.gather(parts.table, tf.tensor1d(items, 'int32'));
      return tf.matMul(rows, tf.tensor2d(vector, [vector.length, 1]));
    });
    const values = (await product.data()) as Float32Array;
    product.dispose();
    return values;
  }
}
