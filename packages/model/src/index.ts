/**
 * Recommender families as TensorFlow.js definitions. The shared part of a model is one flat float32 vector; the local part,
 * a person's own vector, is branded `LocalOnly` and has no way out.
 *
 * ```ts
 * import { keepLocal, seededRandom } from '@tutti/base';
 * import { createEngine, createModel, initialShared, resolveModelConfig } from '@tutti/model';
 * import { openNodeTensorflow } from '@tutti/model/node';
 *
 * const model = createModel(resolveModelConfig({ family: 'mf', dimension: 8 }, { items: 100, meanHistory: 10 }), 100);
 * const engine = await createEngine({ model, ...(await openNodeTensorflow()) });
 * const loaded = await engine.load(initialShared(model, seededRandom(1)));
 * const update = await loaded.train(undefined, { positives: keepLocal(Int32Array.of(3, 5)) }, seededRandom(2));
 * console.log(update.delta.length, update.loss);
 * ```
 */
export { decodeModelConfig, resolveModelConfig, withProximalTerm } from './config.ts';
export type { DataFacts } from './config.ts';
export { beyondKernel, decodeKernelConfig } from './kernel-config.ts';
export { predictsRatings } from './choices.ts';
export { checkItems } from './check-items.ts';
export { decodeCheckpoint, decodeWeights, encodeCheckpoint } from './checkpoint.ts';
export { checkedDefinition, rehearseDefinition } from './checked-definition.ts';
export { defineModel, definitionOf } from './define-model.ts';
export type {
  LossInput,
  ModelDefinition,
  OwnModel,
  OwnTensorValue,
  ScoreInput,
  SharedTensor,
} from './define-model.ts';
export type { OwnConfig, OwnInput, OwnTensor } from './own-config.ts';
export { contentEngine } from './content/engine.ts';
export { addContentInto, contentFeatures, featureWidth } from './content/features.ts';
export type { ItemContent, ItemFeatures } from './content/features.ts';
export { unpackPull } from './content/pull.ts';
export { isFactorization } from './is-factorization.ts';
export { createEngine } from './engine.ts';
export { layersFiles, layersModel } from './layers-model.ts';
export { createModel, initialShared, layoutFingerprint } from './model.ts';
export {
  defaultNoiseMultiplier,
  PRIVATE_DIMENSION,
  PRIVATE_ROUNDS,
  privateClippingNorm,
  privateStrategy,
  recommended,
  summingStrategy,
} from './recommended.ts';
export type { RecommendedStrategy, RecommendedTraining } from './recommended.ts';
export {
  decodeSlice,
  encodeSlice,
  modelOfRows,
  putRowsInPlace,
  sliceCoordinates,
  takeRows,
  wholeTableOf,
} from './slice.ts';
export type { PackedSlice, SliceCoordinates } from './slice.ts';
export { fastestBackend, rehearse } from './rehearsal.ts';
export type { FastestBackend } from './rehearsal.ts';
export { useBackend } from './tensorflow.ts';
export { towerShape } from './tower-shape.ts';
export type { DeepTower, TowerShape } from './tower-shape.ts';
export { diverse } from './diversity.ts';
export { itemVectors, productOf, unitVectors } from './item-vectors.ts';
export type { ItemVectors } from './item-vectors.ts';
export { averageScores, blended } from './newcomers.ts';
export { reasonsFor } from './reasons.ts';
export type { ReasonsOptions } from './reasons.ts';
export { bestOf, checkRankOptions } from './ranking.ts';
export {
  ACTIVATIONS,
  BACKEND_NAMES,
  ENGINE_NAMES,
  MF_LOSSES,
  MODEL_FAMILIES,
  TOWER_LOSSES,
  TOWER_OPTIMIZERS,
} from './types.ts';
export type {
  Activation,
  BackendName,
  BuiltInConfig,
  ContentConfig,
  EngineName,
  FactorizationConfig,
  GmfConfig,
  HeldOutItem,
  LoadedModel,
  LocalData,
  LocalUpdate,
  LocalSolve,
  MfConfig,
  MfLoss,
  MlpConfig,
  Model,
  ModelConfig,
  ModelFamily,
  ModelInput,
  NeumfConfig,
  Ranking,
  RankOptions,
  SharedLayout,
  SharedParameter,
  Tensorflow,
  TowerChoices,
  TowerConfig,
  TowerLoss,
  TowerOptimizer,
  TowerTraining,
  TrainingEngine,
  WholeTable,
} from './types.ts';
export { keptUpdate } from './kept-update.ts';
export { wholeDelta } from './whole-delta.ts';
export { compactRows, drawExamples, drawExamplesFrom, drawSeed } from './examples.ts';
export type { Examples, ExampleSeed } from './examples.ts';
export { solvePositiveDefiniteInPlace } from './linear-algebra.ts';
