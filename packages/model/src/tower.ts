import { keepLocal, type LocalOnly, type SeededRandom } from '@tutti/base';
import { withCheckedItems } from './check-items.ts';
import { compactRows, drawExamples, type Examples } from './examples.ts';
import { openLocalSolve } from './local-solve.ts';
import { bestOf } from './ranking.ts';
import { towerShape, type TowerShape } from './tower-shape.ts';
import type {
  BackendName,
  LoadedModel,
  LocalUpdate,
  Model,
  SharedParameter,
  Tensorflow,
  TowerConfig,
  TrainingEngine,
  WholeTable,
} from './types.ts';

/**
 * The neural families: logit = k·(p∘q_i) + b_i + o·MLP(…) + c, trained on cross-entropy with sampled negatives, over the
 * towers that {@link towerShape} names. The person's vector p is local; item table, item biases, heads and layers are shared.
 * A product head beside the layers is stronger than layers alone (Rendle et al. 2020).
 *
 * A round solves p first, in closed form from the item rows ({@link openLocalSolve}) and scaled to logits, and then takes gradient
 * steps on the shared part with p frozen (Singhal et al. 2021): a vector never lags behind the table, and a newcomer needs no training.
 *
 * @see He et al., Neural collaborative filtering, WWW 2017.
 */
export function createTowerEngine(
  model: Model,
  config: TowerConfig,
  tf: Tensorflow,
  backend: BackendName,
): TrainingEngine {
  return {
    model,
    engine: 'tfjs',
    backend,
    load: (shared, whole) => loadTower(model, config, tf, shared, whole),
  };
}

type Tensor = ReturnType<Tensorflow['tensor']>;
type Tensor2D = ReturnType<Tensorflow['tensor2d']>;

async function loadTower(
  model: Model,
  config: TowerConfig,
  tf: Tensorflow,
  shared: Float32Array,
  whole: WholeTable = { items: model.items },
): Promise<LoadedModel> {
  const shape = towerShape(config);
  const d = shape.width;
  const [tableAt, biasAt, ...denseAt] = model.layout.parameters as [
    SharedParameter,
    SharedParameter,
    ...SharedParameter[],
  ];
  const part = ({ offset, length }: SharedParameter): Float32Array => shared.slice(offset, offset + length);
  const tensorOf = (parameter: SharedParameter): Tensor => tf.tensor(part(parameter), [...parameter.shape]);
  const table = tensorOf(tableAt) as Tensor2D;
  const bias = tensorOf(biasAt) as Tensor2D;
  const dense = denseAt.map(tensorOf);
  const solve = await openLocalSolve(tf, table, config, whole);

  /** The person's vector as it makes logits. */
  async function fit(positives: Int32Array): Promise<Float32Array> {
    return (await solve(positives)).map((value) => config.personScale * value);
  }

  /** Gradient steps on the shared part; returns the changed compact rows and layers, and the mean loss of the first epoch. */
  async function descend(
    person: Float32Array,
    epochs: readonly Examples[],
    rows: Int32Array,
    positionOf: ReadonlyMap<number, number>,
  ) {
    const index = tf.tensor1d(rows, 'int32');
    const frozen = tf.tensor2d(person, [1, d]);
    const start = [
      tf.gather(table, index),
      tf.gather(bias, index),
      ...dense.map((tensor) => tf.clone(tensor)),
    ];
    let weights: Tensor[] = start;
    let loss = 0;
    for (const [epoch, { items, labels }] of epochs.entries()) {
      for (let from = 0; from < items.length; from += config.batchSize) {
        const batch = items.subarray(from, from + config.batchSize);
        const targets = labels.subarray(from, from + config.batchSize);
        const positions = Int32Array.from(batch, (item) => positionOf.get(item) as number);
        const [next, value] = step(weights, start, frozen, positions, targets);
        if (epoch === 0) loss += (await value.data())[0] as number;
        value.dispose();
        if (weights !== start) tf.dispose(weights);
        weights = next;
      }
    }
    tf.dispose([index, frozen]);
    return { start, weights, loss: loss / (epochs[0] as Examples).items.length };
  }

  function step(
    weights: readonly Tensor[],
    start: readonly Tensor[],
    person: Tensor2D,
    positions: Int32Array,
    labels: Float32Array,
  ): [Tensor[], Tensor] {
    return tf.tidy<[Tensor[], Tensor]>(() => {
      const index = tf.tensor1d(positions, 'int32');
      const targets = tf.tensor2d(labels, [labels.length, 1]);
      const pullOf = (rows: Tensor2D): ReturnType<Tensorflow['scalar']> =>
        tf.mul(tf.sum(tf.square(tf.gather(rows, index))), config.l2 / 2);
      const of = tf.valueAndGrads((rows, biases, ...layers) => {
        const q = tf.gather(rows as Tensor2D, index);
        const b = tf.gather(biases as Tensor2D, index);
        const loss = crossEntropy(tf, logits(tf, shape, person, q, b, layers), targets);
        return tf.add(loss, pullOf(rows as Tensor2D));
      });
      const { value, grads } = of([...weights]);
      const next = weights.map((weight, i) => {
        // Rows are touched by few examples of a batch and take the sum; layers are touched by all and take the mean.
        const rate = i < 2 ? config.tableLearningRate : config.learningRate / labels.length;
        const proximal = tf.mul(tf.sub(weight, start[i] as Tensor), config.proximal * config.learningRate);
        return tf.sub(weight, tf.add(tf.mul(grads[i] as Tensor, rate), proximal));
      });
      return [next, tf.sub(value, pullOf(weights[0] as Tensor2D))];
    });
  }

  async function train(
    local: LocalOnly<Float32Array> | undefined,
    positives: Int32Array,
    random: SeededRandom,
  ): Promise<LocalUpdate> {
    const person = local ?? (await fit(positives));
    const delta = new Float32Array(model.layout.length);
    const epochs = Array.from({ length: config.epochs }, () =>
      drawExamples(positives, model.items, config.negatives, random),
    );
    const all = Int32Array.from(epochs.flatMap(({ items }) => [...items]));
    if (all.length === 0)
      return {
        delta,
        local: keepLocal(Float32Array.from(person)),
        loss: 0,
        examples: 0,
        touchedRows: keepLocal(new Int32Array(0)),
      };
    const { rows } = compactRows(all);
    const positionOf = new Map(Array.from(rows, (row, position) => [row, position] as const));
    const { start, weights, loss } = await descend(person, epochs, rows, positionOf);
    const differences = tf.tidy(() => weights.map((weight, i) => tf.sub(weight, start[i] as Tensor)));
    const values = await Promise.all(
      differences.map((difference) => difference.data() as Promise<Float32Array>),
    );
    tf.dispose([...differences, ...start, ...(weights === start ? [] : weights)]);
    scatterInPlace(delta, tableAt, rows, values[0] as Float32Array);
    scatterInPlace(delta, biasAt, rows, values[1] as Float32Array);
    denseAt.forEach(({ offset }, i) => delta.set(values[i + 2] as Float32Array, offset));
    return {
      delta,
      local: keepLocal(Float32Array.from(person)),
      loss,
      examples: (epochs[0] as Examples).items.length,
      touchedRows: keepLocal(rows),
    };
  }

  async function score(person: Float32Array, items?: Int32Array): Promise<Float32Array> {
    const result = tf.tidy(() => {
      const index = items === undefined ? undefined : tf.tensor1d(items, 'int32');
      const [rows, biases] =
        index === undefined ? [table, bias] : [tf.gather(table, index), tf.gather(bias, index)];
      return logits(tf, shape, tf.tensor2d(person, [1, d]), rows, biases, dense);
    });
    const values = (await result.data()) as Float32Array;
    result.dispose();
    return values;
  }

  return withCheckedItems(model.items, {
    train: (local, { positives }, random) => train(local, positives, random),
    personalize: async (_local, { positives }) => keepLocal(await fit(positives)),
    score: async (local, items) => keepLocal(await score(local, items)),
    rank: async (local, options) => keepLocal(bestOf(await score(local), options)),
    dispose: () => tf.dispose([table, bias, ...dense]),
  });
}

/** Logits (B × 1) of rows of items (B × d) for one person (1 × d); `weights`: layers, then the heads of the towers there are. */
function logits(
  tf: Tensorflow,
  shape: TowerShape,
  person: Tensor2D,
  rows: Tensor2D,
  biases: Tensor2D,
  weights: readonly Tensor[],
): Tensor2D {
  const rest = [...weights];
  const block = (tensor: Tensor2D, from: number, size: number): Tensor2D =>
    from === 0 && size === shape.width ? tensor : tf.slice(tensor, [0, from], [-1, size]);
  const { deep, product } = shape;
  let terms: Tensor2D = biases;
  if (deep !== undefined) {
    const [p, q] = [block(person, deep.from, deep.size), block(rows, deep.from, deep.size)];
    const inputs = [
      tf.mul<Tensor2D>(tf.onesLike(q), p),
      q,
      ...(deep.products ? [tf.mul<Tensor2D>(q, p)] : []),
    ];
    let hidden = tf.concat2d(inputs, 1);
    for (let layer = 0; layer < deep.hidden.length; layer++) {
      const [kernel, bias] = [rest.shift() as Tensor2D, rest.shift() as Tensor];
      hidden = tf.relu(tf.add(tf.matMul(hidden, kernel), bias));
    }
    const head = product > 0 ? rest.splice(1, 1)[0] : rest.shift();
    terms = tf.add(terms, tf.matMul(hidden, head as Tensor2D));
  }
  if (product > 0) {
    const both = tf.mul<Tensor2D>(block(rows, 0, product), block(person, 0, product));
    terms = tf.add(terms, tf.matMul(both, rest.shift() as Tensor2D));
  }
  return tf.add(terms, rest[0] as Tensor);
}

/** Σ log(1 + exp(z)) − y·z, without overflow. */
function crossEntropy(tf: Tensorflow, z: Tensor2D, labels: Tensor): ReturnType<Tensorflow['scalar']> {
  const soft = tf.add(tf.relu(z), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));
  return tf.sum(tf.sub(soft, tf.mul(labels, z)));
}

function scatterInPlace(
  delta: Float32Array,
  { offset, length, shape }: SharedParameter,
  rows: Int32Array,
  values: Float32Array,
): void {
  const width = length / (shape[0] as number);
  rows.forEach((row, position) =>
    delta.set(values.subarray(position * width, (position + 1) * width), offset + row * width),
  );
}
