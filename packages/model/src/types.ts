import type { LocalOnly, Ranges, SeededRandom } from '@tutti/base';
import type { OwnConfig, OwnInput } from './own-config.ts';

/** The TensorFlow.js namespace, injected: two copies of it in one page break each other. */
export type Tensorflow = typeof import('@tensorflow/tfjs');

/** Backends, in the order in which `auto` tries them. */
export const BACKEND_NAMES = ['tensorflow', 'wasm', 'cpu', 'webgl', 'webgpu'] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

/** The built-in model families. */
export const MODEL_FAMILIES = ['mf', 'gmf', 'mlp', 'neumf', 'content'] as const;
export type ModelFamily = (typeof MODEL_FAMILIES)[number];

/** How a device solves its person's vector in closed form: ridge regression of "touched" on the item rows (Hu et al. 2008). */
export interface LocalSolve {
  /** a0: weight of the pull of every item's score towards 0. */
  readonly unobservedWeight: number;
  /** λ: regularisation, for each interaction and for a0 of each item. */
  readonly regularization: number;
}

/** What matrix factorisation makes small: weighted squares over all items (Hu et al. 2008), or distance from ratings. */
export const MF_LOSSES = ['implicit', 'mse'] as const;
export type MfLoss = (typeof MF_LOSSES)[number];

/** Matrix factorisation: the person's vector in closed form, one gradient step on the item rows. */
export interface MfConfig extends LocalSolve {
  readonly family: 'mf';
  /** d: length of a person's and an item's vector. */
  readonly dimension: number;
  /** `implicit` when left out. */
  readonly loss?: MfLoss;
  /** What every prediction of a rating begins with; needed with `mse`. */
  readonly ratingMean?: number;
}

/**
 * Matrix factorisation whose item vectors are the sum of a row of their own and of what the item's attributes say (docs/content.md). A device
 * sees the sum alone; the coordinator takes it apart.
 */
export interface ContentConfig extends LocalSolve {
  readonly family: 'content';
  readonly dimension: number;
  /** Columns that genres and words of titles are hashed to. */
  readonly buckets: number;
  /** Length of an item's genres together, over that of what all items have in common; 0: they are not used. */
  readonly genreWeight: number;
  /** The same for the words of its title. */
  readonly wordWeight: number;
  /** Numbers of the vector that each item brings along; 0: there are none. */
  readonly vectorLength: number;
  /** Length of that vector. */
  readonly vectorWeight: number;
}

/** Families whose score is the product of the person's and the item's vector, and whose person is solved in closed form. */
export type FactorizationConfig = MfConfig | ContentConfig;

/** How the neural families train: the person's vector first, in closed form, then what is shared, by cross-entropy on sampled negatives. */
export interface TowerTraining extends LocalSolve {
  /** What the closed form, whose scores are near 0 and 1, is multiplied by to make logits. */
  readonly personScale: number;
  /** Passes over the person's own examples in a round. */
  readonly epochs: number;
  /** Examples a gradient step. */
  readonly batchSize: number;
  /** Step of the local descent of the layers, for the mean gradient of a batch. */
  readonly learningRate: number;
  /** Step of the local descent of item rows, for the gradient of each example. */
  readonly tableLearningRate: number;
  /** Negatives drawn for each positive, anew each epoch, from everything outside the training positives. */
  readonly negatives: number;
  /** L2 on the vectors of an example. */
  readonly l2: number;
  /** µ of FedProx: pull towards the round's starting weights. */
  readonly proximal: number;
}

/** What a neural family makes small: cross-entropy of each example, a positive below its negatives (BPR), or distance from ratings. */
export const TOWER_LOSSES = ['bce', 'bpr', 'mse'] as const;
export type TowerLoss = (typeof TOWER_LOSSES)[number];

/** How a client steps: plain gradients, or Adam, whose moments begin anew in each round. */
export const TOWER_OPTIMIZERS = ['sgd', 'adam'] as const;
export type TowerOptimizer = (typeof TOWER_OPTIMIZERS)[number];

/** What a hidden unit does with its sum. */
export const ACTIVATIONS = ['relu', 'tanh', 'sigmoid', 'elu', 'swish'] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/**
 * What else can be chosen for a neural family. What is left out is the first of its list, nothing dropped, every epoch: what the
 * kernel has. With any of it a model trains in TensorFlow.js.
 */
export interface TowerChoices {
  readonly loss?: TowerLoss;
  readonly optimizer?: TowerOptimizer;
  /** Of the hidden layers. */
  readonly activation?: Activation;
  /** Share of hidden units that are silent in a training step, drawn anew in each. */
  readonly dropout?: number;
  /** Epochs without a gain on the person's own validation item after which training ends, with the weights of the best epoch. */
  readonly patience?: number;
  /** What every prediction of a rating begins with; needed with `mse`. */
  readonly ratingMean?: number;
}

/** Generalised matrix factorisation (He et al. 2017): a weighted product of the person's and the item's vector. */
export interface GmfConfig extends TowerTraining, TowerChoices {
  readonly family: 'gmf';
  readonly dimension: number;
}

/** Embedding-MLP: a product head and hidden layers over [person, item, person∘item], trained on cross-entropy. */
export interface MlpConfig extends TowerTraining, TowerChoices {
  readonly family: 'mlp';
  readonly dimension: number;
  /** Sizes of the hidden layers. */
  readonly hidden: readonly number[];
}

/** NeuMF (He et al. 2017): hidden layers over [person, item] beside a product tower with vectors of its own. */
export interface NeumfConfig extends TowerTraining, TowerChoices {
  readonly family: 'neumf';
  /** Length of a vector in each of the two towers; people and items have both. */
  readonly dimension: number;
  readonly hidden: readonly number[];
}

/** The neural families: a product tower, hidden layers, or both. */
export type TowerConfig = GmfConfig | MlpConfig | NeumfConfig;

/** A built-in family with all its numbers. */
export type BuiltInConfig = FactorizationConfig | TowerConfig;

/** A model with all its numbers: of a built-in family, or an app's own. */
export type ModelConfig = BuiltInConfig | OwnConfig;

/** A family and the numbers that are given; the rest follows from the data. */
export type ModelInput =
  | {
      [Family in ModelFamily]: Partial<Extract<ModelConfig, { family: Family }>> & {
        readonly family: Family;
      };
    }[ModelFamily]
  | OwnInput;

/** One tensor of the shared part, and where it stands in the flat vector. */
export interface SharedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: 'item-table' | 'dense';
  readonly offset: number;
  readonly length: number;
}

/** The shared part as one flat float32 vector: what is summed, and what a checkpoint holds. */
export interface SharedLayout {
  readonly parameters: readonly SharedParameter[];
  readonly length: number;
}

/** A family for a catalogue of `items`: its layout and its first weights. */
export interface Model {
  readonly config: ModelConfig;
  readonly items: number;
  readonly layout: SharedLayout;
  /** Numbers of the local part: a person's own vector. */
  readonly localLength: number;
}

/** What a device trains on: the distinct items that its person touched, oldest first where times are known. */
export interface LocalData {
  readonly positives: LocalOnly<Int32Array>;
  /** What the person gave each of the positives; a model of ratings trains on those alone that are not NaN. */
  readonly ratings?: LocalOnly<Float32Array>;
  /** An item that is not trained on, the candidates it is ranked among, and what the person gave it, if they did. */
  readonly heldOut?: LocalOnly<HeldOutItem>;
}

/** One item that a device measures its model with. */
export interface HeldOutItem {
  readonly item: number;
  readonly candidates: Int32Array;
  readonly rating?: number;
}

/** What local training gives: a delta of the shared part, and the local part, which stays. */
export interface LocalUpdate {
  /**
   * Trained minus initial: in the shared layout, or with `ranges` only what stands there. The caller may change it. It may stand in
   * the engine's memory, as may the ranges and the rows, where they hold until the model's next call: {@link keptUpdate} copies them.
   */
  readonly delta: Float32Array;
  /** L2 norm of the delta, to the last bit that of `l2Norm`, where the engine measured it. */
  readonly norm?: number;
  /** Where in the shared layout training may have moved anything; everything, when left out. They name the rows it touched. */
  readonly ranges?: LocalOnly<Ranges>;
  readonly local: LocalOnly<Float32Array>;
  /** Mean loss an example, before the step that it was measured for. */
  readonly loss: number;
  readonly examples: number;
  /** Item rows that training touched. */
  readonly touchedRows: LocalOnly<Int32Array>;
}

/** What a ranking is asked for. */
export interface RankOptions {
  /** Length of the list, at least 0. */
  readonly k: number;
  /** Items that are left out, such as those that the person touched. */
  readonly exclude?: LocalOnly<Int32Array>;
}

/** Items and their scores, best first; of equal scores the item that stands first in the catalogue. */
export interface Ranking {
  readonly items: Int32Array;
  readonly scores: Float32Array;
}

/** One checkpoint, prepared once and used for many clients. */
export interface LoadedModel {
  /**
   * Trains the shared part on one person's data, with their vector frozen. `local` is that vector, fitted to this checkpoint
   * by {@link LoadedModel.personalize}; without one it is fitted here. `random` decides the negatives and the order.
   */
  train(
    local: LocalOnly<Float32Array> | undefined,
    data: LocalData,
    random: SeededRandom,
  ): Promise<LocalUpdate>;
  /** Fits the person's own vector and nothing shared: what a device does before it ranks, also for a newcomer. */
  personalize(
    local: LocalOnly<Float32Array> | undefined,
    data: LocalData,
    random: SeededRandom,
  ): Promise<LocalOnly<Float32Array>>;
  /**
   * Scores of every item, or of `items` in their order; higher is better. They say what a person likes, so they stay on the
   * device too.
   */
  score(local: LocalOnly<Float32Array>, items?: Int32Array): Promise<LocalOnly<Float32Array>>;
  /** The `k` best items outside `exclude`, without keeping all scores; fewer where the catalogue has fewer. */
  rank(local: LocalOnly<Float32Array>, options: RankOptions): Promise<LocalOnly<Ranking>>;
  dispose(): void;
}

/** What a device must know of a catalogue of which it holds some rows only. */
export interface WholeTable {
  /** Rows of the catalogue. */
  readonly items: number;
  /** HᵀH of the whole item table, d × d. */
  readonly gram?: Float32Array;
}

/** What trains and ranks: the TensorFlow.js definition of the family, the WebAssembly kernel, or plain TypeScript. */
export const ENGINE_NAMES = ['tfjs', 'simd', 'ts'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** A model made ready to train and rank. */
export interface TrainingEngine {
  readonly model: Model;
  readonly engine: EngineName;
  /** The backend of TensorFlow.js that does the work, or the engine's own name. */
  readonly backend: BackendName | Exclude<EngineName, 'tfjs'>;
  /**
   * @param shared in the model's layout; copied.
   * @param whole the catalogue that this model's rows are a slice of; without it they are all there are.
   */
  load(shared: Float32Array, whole?: WholeTable): Promise<LoadedModel>;
}
