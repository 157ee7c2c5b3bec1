import { UsageError } from '@tutti/base';
import {
  beyondKernel,
  contentEngine,
  isFactorization,
  towerShape,
  type BuiltInConfig,
  type LoadedModel,
  type Model,
  type TrainingEngine,
  type WholeTable,
} from '@tutti/model';
import { loadFactorization } from './kernel-factorization.ts';
import { loadTower } from './kernel-tower.ts';
import type { OpenKernel } from './kernel.ts';

/**
 * A kernel as an engine.
 * @throws {UsageError} for what no kernel has, such as an app's own model or another loss.
 */
export function engineOf(model: Model, name: 'simd' | 'ts', open: OpenKernel): TrainingEngine {
  const { config } = model;
  const reason = beyondKernel(config);
  if (reason !== undefined || config.family === 'own')
    throw new UsageError(`engine ${name}: ${reason ?? 'this model'} trains in TensorFlow.js`);
  const engine: TrainingEngine = {
    model,
    engine: name,
    backend: name,
    load: async (shared, whole) => loadInKernel(open, { ...model, config }, shared, whole),
  };
  return config.family === 'content' ? contentEngine(model, config, engine) : engine;
}

function loadInKernel(
  open: OpenKernel,
  model: Model & { readonly config: BuiltInConfig },
  shared: Float32Array,
  whole?: WholeTable,
): LoadedModel {
  const { config, items, layout } = model;
  const length = isFactorization(config) ? items * config.dimension : layout.length;
  if (shared.length !== length) throw new UsageError(`${shared.length} weights; the layout has ${length}`);
  return isFactorization(config)
    ? loadFactorization(open, { config, items }, shared, whole)
    : loadTower(open, { shape: towerShape(config), training: config, layout, items }, shared, whole);
}
