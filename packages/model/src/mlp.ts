import { keepLocal, type LocalOnly, type SeededRandom } from '@tutti/base';
import { compactRows, drawExamples, type Examples } from './examples.ts';
import type {
  BackendName,
  LoadedModel,
  LocalUpdate,
  MlpConfig,
  Model,
  SharedParameter,
  Tensorflow,
  TrainingEngine,
} from './types.ts';

/**
 * Embedding-MLP: logit = k·(p∘q_i) + b_i + o·MLP([p, q_i, p∘q_i]), trained on cross-entropy with sampled negatives. The
 * person's vector p is local; item table, item biases and layers are shared. A head on top of a product is stronger than
 * layers alone (Rendle et al. 2020).
 *
 * A round fits p first, with everything shared frozen, and then takes gradient steps on the shared part with p frozen
 * (Singhal et al. 2021), so a vector that was not trained for many rounds does no harm.
 */
export function createMlpEngine(
  model: Model,
  config: MlpConfig,
  tf: Tensorflow,
  backend: BackendName,
): TrainingEngine {
  return { model, backend, load: async (shared) => loadMlp(model, config, tf, shared) };
}

type Tensor = ReturnType<Tensorflow['tensor']>;
type Tensor2D = ReturnType<Tensorflow['tensor2d']>;

/** Decay of the moments with which a person's vector is fitted (Adam). */
const FIRST_DECAY = 0.9;
const SECOND_DECAY = 0.99;

/** Spread of the numbers that a vector begins with. */
const INITIAL_SPREAD = 0.1;

function loadMlp(model: Model, config: MlpConfig, tf: Tensorflow, shared: Float32Array): LoadedModel {
  const d = config.dimension;
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

  async function fit(
    start: Float32Array | undefined,
    positives: Int32Array,
    random: SeededRandom,
  ): Promise<Float32Array> {
    const person =
      start === undefined
        ? Float32Array.from({ length: d }, () => INITIAL_SPREAD * random.normal())
        : Float32Array.from(start);
    if (positives.length > 0)
      await fitInPlace(person, drawExamples(positives, model.items, config.negatives, random));
    return person;
  }

  /** Adam on the mean cross-entropy of all examples at once. */
  async function fitInPlace(person: Float32Array, { items, labels }: Examples): Promise<void> {
    const first = new Float64Array(d);
    const second = new Float64Array(d);
    const [rows, biases, targets] = tf.tidy(() => {
      const index = tf.tensor1d(items, 'int32');
      return [tf.gather(table, index), tf.gather(bias, index), tf.tensor2d(labels, [items.length, 1])];
    });
    const gradientOf = tf.grad((p) =>
      crossEntropy(tf, logits(tf, config, p as Tensor2D, rows, biases, dense), targets),
    );
    for (let step = 1; step <= config.personalSteps; step++) {
      const gradient = tf.tidy(() => gradientOf(tf.tensor2d(person, [1, d])));
      const values = await gradient.data();
      gradient.dispose();
      for (let i = 0; i < d; i++) {
        const g = (values[i] as number) / items.length + config.l2 * (person[i] as number);
        first[i] = FIRST_DECAY * (first[i] as number) + (1 - FIRST_DECAY) * g;
        second[i] = SECOND_DECAY * (second[i] as number) + (1 - SECOND_DECAY) * g * g;
        const mean = (first[i] as number) / (1 - FIRST_DECAY ** step);
        const spread = Math.sqrt((second[i] as number) / (1 - SECOND_DECAY ** step));
        person[i] = (person[i] as number) - (config.localLearningRate * mean) / (spread + 1e-4);
      }
    }
    tf.dispose([rows, biases, targets]);
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
      const of = tf.valueAndGrads((rows, biases, ...layers) =>
        crossEntropy(
          tf,
          logits(
            tf,
            config,
            person,
            tf.gather(rows as Tensor2D, index),
            tf.gather(biases as Tensor2D, index),
            layers,
          ),
          targets,
        ),
      );
      const { value, grads } = of([...weights]);
      const next = weights.map((weight, i) => {
        // Rows are touched by few examples of a batch and take the sum; layers are touched by all and take the mean.
        const rate = i < 2 ? config.tableLearningRate : config.learningRate / labels.length;
        const pull = i < 2 ? config.l2 : 0;
        const proximal = tf.mul(tf.sub(weight, start[i] as Tensor), config.proximal);
        const gradient = tf.addN([
          tf.mul(grads[i] as Tensor, rate),
          tf.mul(weight, rate * pull),
          tf.mul(proximal, config.learningRate),
        ]);
        return tf.sub(weight, gradient);
      });
      return [next, value];
    });
  }

  async function train(
    local: LocalOnly<Float32Array> | undefined,
    positives: Int32Array,
    random: SeededRandom,
  ): Promise<LocalUpdate> {
    const person = local ?? (await fit(undefined, positives, random));
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

  async function score(person: Float32Array): Promise<LocalOnly<Float32Array>> {
    const result = tf.tidy(() => logits(tf, config, tf.tensor2d(person, [1, d]), table, bias, dense));
    const values = (await result.data()) as Float32Array;
    result.dispose();
    return keepLocal(values);
  }

  return {
    train: (local, { positives }, random) => train(local, positives, random),
    personalize: async (local, { positives }, random) => keepLocal(await fit(local, positives, random)),
    score,
    dispose: () => tf.dispose([table, bias, ...dense]),
  };
}

/** Logits (B × 1) of rows of items (B × d) for one person (1 × d). */
function logits(
  tf: Tensorflow,
  config: MlpConfig,
  person: Tensor2D,
  rows: Tensor2D,
  biases: Tensor2D,
  weights: readonly Tensor[],
): Tensor2D {
  const layers = config.hidden.length;
  const product = tf.mul<Tensor2D>(rows, person);
  let hidden = tf.concat2d([tf.mul(tf.onesLike(rows), person), rows, product], 1);
  for (let layer = 0; layer < layers; layer++) {
    hidden = tf.relu(
      tf.add(tf.matMul(hidden, weights[2 * layer] as Tensor2D), weights[2 * layer + 1] as Tensor),
    );
  }
  const [productKernel, outputKernel, outputBias] = weights.slice(2 * layers) as [Tensor2D, Tensor2D, Tensor];
  return tf.addN([
    tf.matMul(product, productKernel),
    tf.matMul(hidden, outputKernel),
    tf.add<Tensor2D>(biases, outputBias),
  ]);
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
