import { createMfEngine } from './mf.ts';
import { createTowerEngine } from './tower.ts';
import type { BackendName, Model, Tensorflow, TrainingEngine } from './types.ts';

/** Prepares `model` on the backend that is current in `tf`; the TensorFlow.js definition of its family does the work. */
export async function createEngine(options: {
  model: Model;
  tf: Tensorflow;
  backend: BackendName;
}): Promise<TrainingEngine> {
  const { model, tf, backend } = options;
  const { config } = model;
  return config.family === 'mf'
    ? createMfEngine(model, config, tf, backend)
    : createTowerEngine(model, config, tf, backend);
}
