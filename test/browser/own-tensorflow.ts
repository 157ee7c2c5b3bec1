import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { openTrainingEngine } from '@tutti/engine-simd';
import { useBackend, type BackendName, type Model, type TrainingEngine } from '@tutti/model';
import { habits } from './own-definition.ts';

/** Tensors that are alive. */
export const alive = (): number => tf.memory().numTensors;

/** The engine of an app with a model of its own: what its worker file passes to `serveRecommender`. */
export function ownEngine(model: Model, backend: BackendName): Promise<TrainingEngine> {
  return openTrainingEngine({
    model,
    definition: habits,
    tensorflow: async () => {
      setWasmPaths('/');
      await useBackend(tf, backend);
      return { tf, backend };
    },
  });
}
