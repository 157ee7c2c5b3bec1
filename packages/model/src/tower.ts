import { keepLocal, type LocalOnly, type SeededRandom } from '@tutti/base';
import { withCheckedItems } from './check-items.ts';
import { compactRows } from './examples.ts';
import { openLocalSolve } from './local-solve.ts';
import { remainders, wished } from './rated.ts';
import { bestOf } from './ranking.ts';
import { towerLogits, type Layers } from './tower-logits.ts';
import { objectiveOf, type Epoch } from './tower-loss.ts';
import { towerOptimizer } from './tower-optimizer.ts';
import { towerShape } from './tower-shape.ts';
import type {
  BackendName,
  HeldOutItem,
  LoadedModel,
  LocalData,
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
 * A product head beside the layers is stronger than layers alone (Rendle et al. 2020). {@link TowerChoices} name other losses, optimizers
 * and activations, dropout and early stopping.
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

/** What training of one person works on. */
interface Training {
  readonly person: Tensor2D;
  readonly epochs: readonly Epoch[];
  /** Item rows that are trained, and where each of them stands among those. */
  readonly rows: Int32Array;
  readonly positionOf: ReadonlyMap<number, number>;
  readonly heldOut: HeldOutItem | undefined;
  readonly random: SeededRandom;
}

async function loadTower(
  model: Model,
  config: TowerConfig,
  tf: Tensorflow,
  shared: Float32Array,
  whole: WholeTable = { items: model.items },
): Promise<LoadedModel> {
  const shape = towerShape(config);
  const d = shape.width;
  const objective = objectiveOf(config, model.items);
  const rated = config.loss === 'mse';
  const mean = rated ? (config.ratingMean ?? 0) : 0;
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
  async function fit(data: LocalData): Promise<Float32Array> {
    const { items, targets } = rated ? remainders(data, mean, shared.subarray(biasAt.offset)) : wished(data);
    return (await solve(items, targets)).map((value) => config.personScale * value);
  }

  const layersOf = (count: number, random: SeededRandom): Layers => ({
    ...(config.activation === undefined ? {} : { activation: config.activation }),
    ...(config.dropout === undefined ? {} : { masks: drawMasks(count, config.dropout, random) }),
  });

  /** Inverted dropout: what is not silent is louder, so that nothing changes on average. */
  function drawMasks(count: number, dropout: number, random: SeededRandom): Tensor2D[] {
    return (shape.deep?.hidden ?? []).map((units) => {
      const mask = Float32Array.from({ length: count * units }, () =>
        random.float() < dropout ? 0 : 1 / (1 - dropout),
      );
      return tf.tensor2d(mask, [count, units]);
    });
  }

  /** Gradient steps on the shared part; the first and the last weights, and the mean loss of the first epoch. */
  async function descend(training: Training) {
    const { epochs, rows, heldOut } = training;
    const start = tf.tidy(() => {
      const index = tf.tensor1d(rows, 'int32');
      return [tf.gather(table, index), tf.gather(bias, index), ...dense.map((tensor) => tf.clone(tensor))];
    });
    const optimizer = towerOptimizer(tf, config, start);
    const watched = config.patience === undefined ? undefined : heldOut;
    const masks = training.random.fork('dropout');
    let loss = 0;
    let best = Number.POSITIVE_INFINITY;
    let worse = 0;
    for (const [number, epoch] of epochs.entries()) {
      const sum = await passOver(epoch, training, optimizer, masks);
      if (number === 0) loss = sum / Math.max(1, epoch.items.length / objective.rowsPerTerm);
      if (watched === undefined) continue;
      const now = await distanceOf(optimizer.weights, training, watched);
      worse = now < best ? 0 : worse + 1;
      if (now < best) optimizer.keep();
      best = Math.min(best, now);
      if (worse === config.patience) break;
    }
    if (watched !== undefined) optimizer.restore();
    const differences = tf.tidy(() =>
      optimizer.weights.map((weight, i) => tf.sub(weight, start[i] as Tensor)),
    );
    const values = await Promise.all(differences.map((each) => each.data() as Promise<Float32Array>));
    tf.dispose([...differences, ...start]);
    optimizer.dispose();
    return { values, loss };
  }

  /** One epoch in batches of whole terms; the sum of their losses, each before its step. */
  async function passOver(
    { items, targets }: Epoch,
    { person, positionOf }: Training,
    optimizer: ReturnType<typeof towerOptimizer>,
    random: SeededRandom,
  ): Promise<number> {
    const { rowsPerTerm } = objective;
    const rows = Math.max(rowsPerTerm, config.batchSize - (config.batchSize % rowsPerTerm));
    let sum = 0;
    for (let from = 0; from < items.length; from += rows) {
      const batch = items.subarray(from, from + rows);
      const positions = Int32Array.from(batch, (item) => positionOf.get(item) as number);
      const { value, grads } = tf.tidy(() => {
        const layers = layersOf(batch.length, random);
        return gradientsOf(optimizer.weights, person, positions, targets.subarray(from, from + rows), layers);
      });
      sum += (await value.data())[0] as number;
      optimizer.step(grads, batch.length / rowsPerTerm);
      tf.dispose([value, ...grads]);
    }
    return sum;
  }

  /** Gradients of the loss of a batch and of the pull on its vectors; the loss alone. */
  function gradientsOf(
    weights: readonly Tensor[],
    person: Tensor2D,
    positions: Int32Array,
    labels: Float32Array,
    layers: Layers,
  ): { value: Tensor; grads: Tensor[] } {
    const index = tf.tensor1d(positions, 'int32');
    const targets = tf.tensor2d(labels, [labels.length, 1]);
    const pullOf = (rows: Tensor2D): ReturnType<Tensorflow['scalar']> =>
      tf.mul(tf.sum(tf.square(tf.gather(rows, index))), config.l2 / 2);
    const of = tf.valueAndGrads((table_, biases_, ...rest) => {
      const rows = tf.gather(table_ as Tensor2D, index);
      const biases = tf.gather(biases_ as Tensor2D, index);
      const z = towerLogits(tf, shape, { person, rows, biases }, rest, layers);
      return tf.add(objective.sum(tf, mean === 0 ? z : tf.add(z, mean), targets), pullOf(table_ as Tensor2D));
    });
    const { value, grads } = of([...weights]);
    return { value: tf.sub(value, pullOf(weights[0] as Tensor2D)), grads };
  }

  /** How far weights in training are from the person's own held-out item: its rating, or its place before its candidates. */
  async function distanceOf(
    weights: readonly Tensor[],
    { person, rows, positionOf }: Training,
    { item, candidates, rating }: HeldOutItem,
  ): Promise<number> {
    const asked = Int32Array.of(item, ...candidates.filter((candidate) => candidate !== item));
    const scores = tf.tidy(() => {
      // Rows in training stand before those that are not trained.
      const index = tf.tensor1d(
        asked.map((one, at) => positionOf.get(one) ?? rows.length + at),
        'int32',
      );
      const all = tf.tensor1d(asked, 'int32');
      const placed = (trained: Tensor, still: Tensor2D): Tensor2D =>
        tf.gather(tf.concat2d([trained as Tensor2D, tf.gather(still, all)], 0), index);
      const [table_, biases_, ...rest] = weights as [Tensor, Tensor, ...Tensor[]];
      const inputs = { person, rows: placed(table_, table), biases: placed(biases_, bias) };
      return towerLogits(tf, shape, inputs, rest, layersOfScores);
    });
    const [own = 0, ...others] = await scores.data();
    scores.dispose();
    if (rated) return rating === undefined ? 0 : (own + mean - rating) ** 2;
    return others.reduce((sum, other) => sum + Math.log1p(Math.exp(Math.min(50, other - own))), 0);
  }

  const layersOfScores: Layers = config.activation === undefined ? {} : { activation: config.activation };

  async function train(
    local: LocalOnly<Float32Array> | undefined,
    data: LocalData,
    random: SeededRandom,
  ): Promise<LocalUpdate> {
    const vector = local ?? (await fit(data));
    const delta = new Float32Array(model.layout.length);
    const epochs = Array.from({ length: config.epochs }, () => objective.draw(data, random));
    const { rows } = compactRows(Int32Array.from(epochs.flatMap(({ items }) => [...items])));
    const still = { delta, local: keepLocal(Float32Array.from(vector)), touchedRows: keepLocal(rows) };
    if (rows.length === 0) return { ...still, loss: 0, examples: 0 };
    const positionOf = new Map(Array.from(rows, (row, position) => [row, position] as const));
    const person = tf.tensor2d(vector, [1, d]);
    const { heldOut } = data;
    const { values, loss } = await descend({ person, epochs, rows, positionOf, heldOut, random });
    person.dispose();
    scatterInPlace(delta, tableAt, rows, values[0] as Float32Array);
    scatterInPlace(delta, biasAt, rows, values[1] as Float32Array);
    denseAt.forEach(({ offset }, i) => delta.set(values[i + 2] as Float32Array, offset));
    return { ...still, loss, examples: (epochs[0] as Epoch).items.length };
  }

  async function score(vector: Float32Array, items?: Int32Array): Promise<Float32Array> {
    const result = tf.tidy(() => {
      const index = items === undefined ? undefined : tf.tensor1d(items, 'int32');
      const [rows, biases] =
        index === undefined ? [table, bias] : [tf.gather(table, index), tf.gather(bias, index)];
      const person = tf.tensor2d(vector, [1, d]);
      return tf.add(towerLogits(tf, shape, { person, rows, biases }, dense, layersOfScores), mean);
    });
    const values = (await result.data()) as Float32Array;
    result.dispose();
    return values;
  }

  return withCheckedItems(model.items, {
    train,
    personalize: async (_local, data) => keepLocal(await fit(data)),
    score: async (local, items) => keepLocal(await score(local, items)),
    rank: async (local, options) => keepLocal(bestOf(await score(local), options)),
    dispose: () => tf.dispose([table, bias, ...dense]),
  });
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
