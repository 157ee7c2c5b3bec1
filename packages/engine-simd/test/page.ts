import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { createEngine, useBackend, type BackendName } from '@tutti/model';
import { openTrainingEngine } from '../src/engine.ts';
import { bitsOfKernel } from './bits.ts';
import { contract, type Candidate } from './contract.ts';
import type { FAMILIES } from './people.ts';

/** What became of one promise in a page. */
export interface Outcome {
  readonly name: string;
  readonly problem?: string;
}

/** GPUs add in another order than a processor does. */
const GPU_ROUNDING = 1e-4;

/** Every kernel of the neural families, in few steps: a GPU in software is slow. */
const SMALL: typeof FAMILIES = [
  ['neumf', { family: 'neumf', dimension: 3, hidden: [5], batchSize: 45, epochs: 1, proximal: 0.5 }],
];

async function candidateOf(which: string): Promise<Candidate> {
  if (which === 'simd')
    return {
      open: (model) => openTrainingEngine({ model, engine: 'simd' }),
      rounding: 5e-6,
      alive: () => 0,
    };
  const backend = which as BackendName;
  setWasmPaths('/');
  await useBackend(tf, backend);
  return {
    open: (model) => createEngine({ model, tf, backend }),
    ...(backend === 'wasm' ? { rounding: 5e-6 } : { rounding: GPU_ROUNDING, families: SMALL }),
    alive: () => tf.memory().numTensors + tf.memory().numDataBuffers,
  };
}

async function outcomes(which: string): Promise<Outcome[]> {
  const results: Outcome[] = [];
  for (const { name, check } of contract(await candidateOf(which)))
    try {
      await check();
      results.push({ name });
    } catch (error) {
      results.push({ name, problem: error instanceof Error ? error.message : String(error) });
    }
  return results;
}

Object.assign(globalThis, { outcomes, bitsOfKernel });
