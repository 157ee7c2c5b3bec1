import { InternalError } from '@tutti/base';
import { contentEngine } from './content/engine.ts';
import { definitionOf, type OwnModel } from './define-model.ts';
import { createMfEngine } from './mf.ts';
import { createRatingsEngine } from './mf-ratings.ts';
import { createOwnEngine } from './own.ts';
import { createTowerEngine } from './tower.ts';
import type { BackendName, Model, Tensorflow, TrainingEngine } from './types.ts';

/** Prepares `model` on the backend that is current in `tf`; the TensorFlow.js definition of its family does the work. */
export async function createEngine(options: {
  model: Model;
  tf: Tensorflow;
  backend: BackendName;
  /** The app's own model, where `model` is one. */
  definition?: OwnModel;
}): Promise<TrainingEngine> {
  const { model, tf, backend } = options;
  const { config } = model;
  const definition = definitionOf(config, options.definition);
  if (definition !== undefined) return createOwnEngine(model, definition, tf, backend);
  if (config.family === 'own') throw new InternalError('an own model without a definition');
  switch (config.family) {
    case 'mf':
      return config.loss === 'mse'
        ? createRatingsEngine(model, config, tf, backend)
        : createMfEngine(model, config, tf, backend);
    case 'content':
      return contentEngine(model, config, createMfEngine(model, config, tf, backend));
    default:
      return createTowerEngine(model, config, tf, backend);
  }
}
