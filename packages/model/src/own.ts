import { keepLocal, UsageError, type LocalOnly, type SeededRandom } from '@tutti/base';
import { withCheckedItems } from './check-items.ts';
import type { OwnModel, OwnTensorValue } from './define-model.ts';
import { compactRows } from './examples.ts';
import { bestOf } from './ranking.ts';
import { drawTargets, latest, type Targets } from './targets.ts';
import type {
  BackendName,
  LoadedModel,
  LocalUpdate,
  Model,
  SharedParameter,
  Tensorflow,
  TrainingEngine,
} from './types.ts';

/**
 * An app's own model, trained as it is defined. A round fits the person's own vector first, with everything shared frozen, and
 * then takes steps of Adam on the shared part. Of tables with rows for items only those that are touched are trained.
 *
 * The local part is the person's own vector and behind it their latest items (−1 for none), for a ranking is asked for without
 * their data. Both stay on the device.
 */
export function createOwnEngine(
  model: Model,
  definition: OwnModel,
  tf: Tensorflow,
  backend: BackendName,
): TrainingEngine {
  return {
    model,
    engine: 'tfjs',
    backend,
    async load(shared) {
      if (shared.length !== model.layout.length)
        throw new UsageError(`${shared.length} weights; the layout has ${model.layout.length}`);
      return withCheckedItems(model.items, new LoadedOwnModel(model, definition, tf, shared));
    },
  };
}

type Matrix = ReturnType<Tensorflow['tensor2d']>;
type Variable = ReturnType<Tensorflow['variable']>;

/** Where a person shows no item in their window. */
const NONE = -1;

class LoadedOwnModel implements LoadedModel {
  readonly #whole: readonly OwnTensorValue[];
  readonly #parameters: readonly SharedParameter[];

  constructor(
    private readonly model: Model,
    private readonly definition: OwnModel,
    private readonly tf: Tensorflow,
    shared: Float32Array,
  ) {
    this.#parameters = model.layout.parameters;
    this.#whole = this.#parameters.map(({ offset, length, shape }) =>
      tf.tensor(shared.slice(offset, offset + length), [...shape]),
    );
  }

  async train(
    local: LocalOnly<Float32Array> | undefined,
    { positives }: { positives: LocalOnly<Int32Array> },
    random: SeededRandom,
  ): Promise<LocalUpdate> {
    const person = local ?? (await this.personalize(undefined, { positives }, random));
    const epochs = Array.from({ length: this.#config.epochs }, () => this.#draw(positives, random));
    const { rows } = compactRows(Int32Array.from(epochs.flatMap(({ items }) => [...items, ...positives])));
    const delta = new Float32Array(this.model.layout.length);
    const loss = positives.length === 0 ? 0 : await this.#descend(person, epochs, rows, delta);
    return {
      delta,
      local: keepLocal(Float32Array.from(person)),
      loss,
      examples: positives.length,
      touchedRows: keepLocal(positives.length === 0 ? new Int32Array(0) : rows),
    };
  }

  async personalize(
    local: LocalOnly<Float32Array> | undefined,
    { positives }: { positives: LocalOnly<Int32Array> },
    random: SeededRandom,
  ): Promise<LocalOnly<Float32Array>> {
    const { local: length, window } = this.#config;
    const start = Float32Array.from({ length }, (_, i) => local?.[i] ?? 0.1 * random.normal());
    const own = length === 0 || positives.length === 0 ? start : await this.#fit(start, positives, random);
    const { history, known } = latest(positives, window);
    return keepLocal(Float32Array.of(...own, ...history.map((item, i) => (known[i] === 1 ? item : NONE))));
  }

  async score(local: LocalOnly<Float32Array>, items?: Int32Array): Promise<LocalOnly<Float32Array>> {
    const { tf } = this;
    const { window, local: length } = this.#config;
    const wanted = items ?? Int32Array.from({ length: this.model.items }, (_, item) => item);
    const shown = Int32Array.from(local.subarray(length)).filter((item) => item !== NONE);
    const { history, known } = latest(shown, window);
    if (wanted.length === 0) return keepLocal(new Float32Array(0));
    const targets = { count: 1, width: wanted.length, history, known, items: wanted };
    const scores = tf.tidy(() => this.#scores(this.#whole, this.#ownOf(local), targets));
    const values = (await scores.data()) as Float32Array;
    scores.dispose();
    return keepLocal(values);
  }

  async rank(
    local: LocalOnly<Float32Array>,
    options: Parameters<LoadedModel['rank']>[1],
  ): ReturnType<LoadedModel['rank']> {
    return keepLocal(bestOf(await this.score(local), options));
  }

  dispose(): void {
    this.tf.dispose([...this.#whole]);
  }

  get #config(): OwnModel['config'] {
    const { config } = this.model;
    return config.family === 'own' ? config : this.definition.config;
  }

  #draw(positives: Int32Array, random: SeededRandom): Targets {
    const { window, negatives } = this.#config;
    return drawTargets(positives, { items: this.model.items, window, negatives }, random);
  }

  #ownOf(person: Float32Array): Matrix {
    const { local } = this.#config;
    return this.tf.tensor2d(person.slice(0, local), [1, local]);
  }

  /** The definition's scores, whose shape is checked. */
  #scores(shared: readonly OwnTensorValue[], local: Matrix, targets: Targets): Matrix {
    const { tf } = this;
    const { count, width } = targets;
    const { window } = this.#config;
    const scores = this.definition.score(tf, {
      shared: this.#named(shared),
      local,
      history: tf.tensor2d(targets.history, [count, window], 'int32'),
      known: tf.tensor2d(targets.known, [count, window]),
      items: tf.tensor2d(targets.items, [count, width], 'int32'),
    });
    if (scores.rank !== 2 || scores.shape[0] !== count || scores.shape[1] !== width)
      throw new UsageError(
        `score gave a shape of [${scores.shape.join(', ')}]; [${count}, ${width}] is needed`,
      );
    return scores as Matrix;
  }

  #loss(
    shared: readonly OwnTensorValue[],
    local: Matrix,
    targets: Targets,
  ): ReturnType<Tensorflow['scalar']> {
    const { tf } = this;
    const { count, width } = targets;
    const labels = Float32Array.from({ length: count * width }, (_, i) => (i % width === 0 ? 1 : 0));
    return this.definition
      .loss(tf, {
        shared: this.#named(shared),
        local,
        scores: this.#scores(shared, local, targets),
        labels: tf.tensor2d(labels, [count, width]),
      })
      .asScalar();
  }

  #named(shared: readonly OwnTensorValue[]): Record<string, OwnTensorValue> {
    return Object.fromEntries(this.#parameters.map(({ name }, i) => [name, shared[i] as OwnTensorValue]));
  }

  async #fit(start: Float32Array, positives: Int32Array, random: SeededRandom): Promise<Float32Array> {
    const { tf } = this;
    const own = tf.tidy(() => tf.variable(this.#ownOf(start)));
    const adam = adamOf(tf, this.#config.localLearningRate);
    try {
      const targets = this.#draw(positives, random);
      for (let step = 0; step < this.#config.personalSteps; step++)
        tf.tidy(() => void adam.minimize(() => this.#loss(this.#whole, own, targets), false, [own]));
      return (await own.data()) as Float32Array;
    } finally {
      adam.dispose();
      own.dispose();
    }
  }

  /** Steps on what is shared; writes its change into `delta`. @returns the mean loss of the first epoch, before each step. */
  async #descend(
    person: Float32Array,
    epochs: readonly Targets[],
    rows: Int32Array,
    delta: Float32Array,
  ): Promise<number> {
    const { tf } = this;
    const places = new Map(Array.from(rows, (row, place) => [row, place] as const));
    const start = tf.tidy(() => this.#compact(rows));
    const variables = tf.tidy(() => start.map((tensor) => tf.variable(tensor)));
    const adam = adamOf(tf, this.#config.learningRate);
    const own = this.#ownOf(person);
    let sum = 0;
    try {
      for (const [epoch, targets] of epochs.entries())
        for (const batch of batchesOf(onRows(targets, places), this.#config)) {
          const loss = this.#step(adam, variables, own, batch);
          if (epoch === 0) sum += batch.count * ((await loss.data())[0] as number);
          loss.dispose();
        }
      await this.#writeChange(start, variables, rows, delta);
    } finally {
      adam.dispose();
      tf.dispose([own, ...start, ...variables]);
    }
    return sum / (epochs[0] as Targets).count;
  }

  #step(
    adam: ReturnType<Tensorflow['train']['adam']>,
    variables: Variable[],
    own: Matrix,
    batch: Targets,
  ): ReturnType<Tensorflow['scalar']> {
    return this.tf.tidy(
      () =>
        adam.minimize(() => this.#loss(variables, own, batch), true, variables) as ReturnType<
          Tensorflow['scalar']
        >,
    );
  }

  /** The touched rows of tables, and everything else. */
  #compact(rows: Int32Array): OwnTensorValue[] {
    const { tf } = this;
    const index = tf.tensor1d(rows, 'int32');
    return this.#whole.map((tensor, i) =>
      this.#parameters[i]?.role === 'item-table' ? tf.gather(tensor, index) : tf.clone(tensor),
    );
  }

  async #writeChange(
    start: readonly OwnTensorValue[],
    variables: readonly Variable[],
    rows: Int32Array,
    delta: Float32Array,
  ): Promise<void> {
    const { tf } = this;
    const changes = tf.tidy(() =>
      variables.map((variable, i) => tf.sub(variable, start[i] as OwnTensorValue)),
    );
    const values = await Promise.all(changes.map((change) => change.data()));
    tf.dispose(changes);
    this.#parameters.forEach(({ role, offset, length, shape }, i) => {
      const change = values[i] as Float32Array;
      if (role === 'dense') delta.set(change, offset);
      else {
        const width = length / (shape[0] as number);
        rows.forEach((row, place) =>
          delta.set(change.subarray(place * width, (place + 1) * width), offset + row * width),
        );
      }
    });
  }
}

/** Adam as Kingma and Ba (ICLR 2015) have it, with the ε of TensorFlow.js for 32 bits. */
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;

/**
 * Adam with an ε of its own: by default TensorFlow.js asks its backend, and that of WebGL says 1e-4, since 4.22.0 takes graphics cards
 * that draw in 32 bits for those that draw in 16.
 */
function adamOf(tf: Tensorflow, learningRate: number): ReturnType<Tensorflow['train']['adam']> {
  return tf.train.adam(learningRate, ADAM.beta1, ADAM.beta2, ADAM.epsilon);
}

/** The same targets over a compact table. */
function onRows(targets: Targets, places: ReadonlyMap<number, number>): Targets {
  const placeOf = (item: number): number => places.get(item) ?? 0;
  return { ...targets, history: targets.history.map(placeOf), items: targets.items.map(placeOf) };
}

function batchesOf(
  { count, width, history, known, items }: Targets,
  { batchSize, window }: { batchSize: number; window: number },
): Targets[] {
  return Array.from({ length: Math.ceil(count / batchSize) }, (_, batch) => {
    const [from, to] = [batch * batchSize, Math.min(count, (batch + 1) * batchSize)];
    return {
      count: to - from,
      width,
      history: history.subarray(from * window, to * window),
      known: known.subarray(from * window, to * window),
      items: items.subarray(from * width, to * width),
    };
  });
}
