import { UsageError } from '@tutti/base';
import {
  isSameModel,
  resolveOwnConfig,
  type OwnConfig,
  type OwnInput,
  type OwnTensor,
} from './own-config.ts';
import type { ModelConfig, Tensorflow } from './types.ts';

/** A tensor of TensorFlow.js, of any rank. */
export type OwnTensorValue = ReturnType<Tensorflow['tensor']>;
type Matrix = ReturnType<Tensorflow['tensor2d']>;

/** What a definition says of one shared tensor; see {@link OwnTensor}. */
export type SharedTensor = Pick<OwnTensor, 'shape'> & Partial<Pick<OwnTensor, 'perItem' | 'spread'>>;

/** What a model scores: B histories, and C items for each. */
export interface ScoreInput<Name extends string = string> {
  /**
   * The shared tensors by name. A table with rows for items may hold some of them only, in any order: `history` and `items` are rows
   * of it, and good for nothing but `tf.gather`.
   */
  readonly shared: Readonly<Record<Name, OwnTensorValue>>;
  /** The person's own vector: 1 × `local`. */
  readonly local: Matrix;
  /** B × window, int32: the items before, the latest last. Where there are fewer, the first columns are 0 and not `known`. */
  readonly history: Matrix;
  /** B × window: 1 where `history` holds an item, 0 where it does not. */
  readonly known: Matrix;
  /** B × C, int32: the items to be scored. */
  readonly items: Matrix;
}

/** What a loss is taken over. */
export interface LossInput<Name extends string = string> extends Pick<ScoreInput<Name>, 'shared' | 'local'> {
  /** B × C. */
  readonly scores: Matrix;
  /** B × C: 1 in the first column, which is what the person chose next; 0 for what was drawn. */
  readonly labels: Matrix;
}

/** An app's own model: its configuration, and the code that scores. */
export interface OwnModel {
  readonly config: OwnConfig;
  /** Where it is defined, so that threads of a simulation can import it. */
  readonly module?: string;
  score(tf: Tensorflow, input: ScoreInput): OwnTensorValue;
  loss(tf: Tensorflow, input: LossInput): OwnTensorValue;
}

/** What {@link defineModel} takes. */
export interface ModelDefinition<Name extends string> extends Omit<OwnInput, 'family' | 'shared'> {
  /** `import.meta.url` of a module that exports the model; needed for simulations alone. */
  readonly module?: string;
  /** What is trained together, by name, in this order. */
  readonly shared: Readonly<Record<Name, SharedTensor>>;
  /** Scores, B × C; higher is better. Called inside `tf.tidy`, differentiated by TensorFlow.js. */
  score(tf: Tensorflow, input: ScoreInput<Name>): OwnTensorValue;
  /** One number to be made small; by default the mean cross-entropy of each score against its label. */
  loss?(tf: Tensorflow, input: LossInput<Name>): OwnTensorValue;
}

/** Spread of the first numbers of a tensor that says nothing else. */
const SPREAD = 0.1;

/**
 * An app's own model. It is trained, summed and federated like the built-in families; only what is in `shared` leaves a device,
 * and that inside a sum. Each interaction is predicted from those before it, beside drawn negatives.
 *
 * @throws {UsageError} naming each field that is wrong.
 */
export function defineModel<Name extends string>(definition: ModelDefinition<Name>): OwnModel {
  const { module, shared, score, loss = crossEntropy, ...rest } = definition;
  for (const [name, value] of Object.entries<unknown>({ score, loss }))
    if (typeof value !== 'function') throw new UsageError(`model.${name}: a function is needed`);
  if (module !== undefined && typeof module !== 'string')
    throw new UsageError('model.module: a text is needed, import.meta.url');
  const tensors = Object.entries<SharedTensor>(shared).map(
    ([name, { perItem = false, spread = SPREAD, shape }]): OwnTensor => ({ name, perItem, shape, spread }),
  );
  return {
    config: resolveOwnConfig({ ...rest, family: 'own', shared: tensors }),
    ...(module === undefined ? {} : { module }),
    // The engine passes tensors under the names of `config.shared`, which are those of `shared`.
    score: score,
    loss: loss,
  };
}

function crossEntropy(tf: Tensorflow, { scores, labels }: LossInput): OwnTensorValue {
  const soft = tf.add(tf.relu(scores), tf.log1p(tf.exp(tf.neg(tf.abs(scores)))));
  return tf.mean(tf.sub(soft, tf.mul(labels, scores)));
}

/**
 * The app's definition of the model that a task trains; nothing for built-in families.
 * @throws {UsageError} where the task trains an own model that the app does not define, or defines otherwise.
 */
export function definitionOf(config: ModelConfig, definition: OwnModel | undefined): OwnModel | undefined {
  if (config.family !== 'own') return undefined;
  const wanted = `the task trains an app's own model, ${config.name} ${config.version}`;
  if (definition === undefined)
    throw new UsageError(`${wanted}: its definition is needed (defineModel, then the option \`model\`)`);
  const { name, version } = definition.config;
  if (name !== config.name || version !== config.version)
    throw new UsageError(`${wanted}; this app defines ${name} ${version}`);
  if (!isSameModel(config, definition.config))
    throw new UsageError(`${wanted}; this app gives it other tensors: raise its version where it changed`);
  return definition;
}
