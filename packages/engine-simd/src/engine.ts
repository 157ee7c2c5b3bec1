import { EnvironmentError, UsageError } from '@tutti/base';
import {
  beyondKernel,
  createEngine,
  isFactorization,
  rehearse,
  towerShape,
  type BackendName,
  type EngineName,
  type Model,
  type OwnModel,
  type Tensorflow,
  type TrainingEngine,
} from '@tutti/model';
import type { OpenKernel } from './kernel.ts';
import { kernelEngine } from './kernel-engine.ts';
import { openWasmEngine } from './wasm-engine.ts';
import { wasmKernelRuns } from './wasm-kernel.ts';

/** An engine by name, or whichever suits the model here. */
export type EngineChoice = EngineName | 'auto';

/** TensorFlow.js with the backend that is current in it. */
export interface OpenTensorflow {
  readonly tf: Tensorflow;
  readonly backend: BackendName;
}

/** What an engine is opened with. */
export interface EngineOptions {
  readonly model: Model;
  /** The app's own model, where `model` is one: that trains in TensorFlow.js. */
  readonly definition?: OwnModel;
  /** Default `auto`. */
  readonly engine?: EngineChoice;
  /**
   * Opens TensorFlow.js. Asked for `tfjs`, and by `auto` for a model so wide that an accelerator may be faster; without it
   * `auto` does with the kernel.
   */
  readonly tensorflow?: () => Promise<OpenTensorflow>;
  /** Opens the kernel in WebAssembly, where it is another one than the package's own: see the entry for Node. */
  readonly openKernel?: OpenKernel;
  /** Milliseconds, for the trial of `auto`. */
  readonly now?: () => number;
}

/**
 * Prepares a model on the engine that is asked for; what it took stands in {@link TrainingEngine.engine}.
 *
 * `auto` takes the kernel (`simd`, or `ts` where there is no WebAssembly SIMD). Only where a gradient step is at least
 * {@link WIDE_STEP} multiplications and TensorFlow.js opens with an accelerator (GPU, or native TensorFlow), both train one
 * made-up person, and the faster is taken.
 *
 * An app's own model trains in TensorFlow.js, with its definition; so does a built-in family with a loss, an optimizer or anything else of
 * `TowerChoices` that the kernel does not have: `auto` takes TensorFlow.js for them, and the kernel by name is refused.
 *
 * @throws {UsageError} for `tfjs` without a way to open TensorFlow.js.
 * @throws {EnvironmentError} for `simd` where the kernel does not run.
 */
export async function openTrainingEngine(options: EngineOptions): Promise<TrainingEngine> {
  const { model } = options;
  const engine = choiceFor(model, options.engine ?? 'auto');
  switch (engine) {
    case 'tfjs':
      return tfjsEngine(options);
    case 'simd':
      if (!wasmKernelRuns()) throw new EnvironmentError('WebAssembly SIMD does not run here');
      return openWasmEngine(model, options.openKernel);
    case 'ts':
      return kernelEngine(model, 'ts');
    case 'auto': {
      const own = wasmKernelRuns() ? openWasmEngine(model, options.openKernel) : kernelEngine(model, 'ts');
      return (await fasterAccelerator(options, own)) ?? own;
    }
  }
}

/** What the kernel does not have, TensorFlow.js does. */
function choiceFor({ config }: Model, asked: EngineChoice): EngineChoice {
  return asked === 'auto' && beyondKernel(config) !== undefined ? 'tfjs' : asked;
}

async function tfjsEngine({ model, tensorflow, definition }: EngineOptions): Promise<TrainingEngine> {
  if (tensorflow === undefined) {
    const reason = beyondKernel(model.config);
    throw new UsageError(
      `engine tfjs: TensorFlow.js is not given${reason === undefined ? '' : `, and ${reason} trains in nothing else`}`,
    );
  }
  return createEngine({
    model,
    ...(await tensorflow()),
    ...(definition === undefined ? {} : { definition }),
  });
}

/** Backends that a wide model may be faster on than in the kernel. */
const ACCELERATORS: readonly BackendName[] = ['tensorflow', 'webgl', 'webgpu'];

/** Multiplications of a step from which on a trial pays: on-device-training.md §2 found the gain at 256-256-128, batch 256. */
export const WIDE_STEP = 20_000_000;

/** Multiplications of one gradient step: each weight of the layers meets each example three times. */
export function stepCost({ config }: Model): number {
  if (isFactorization(config) || config.family === 'own') return 0;
  const { deep } = towerShape(config);
  const sizes = deep === undefined ? [] : [deep.size, ...deep.hidden];
  const weights = sizes.slice(1).reduce((sum, size, index) => sum + size * (sizes[index] as number), 0);
  return 3 * config.batchSize * weights;
}

async function fasterAccelerator(
  options: EngineOptions,
  own: TrainingEngine,
): Promise<TrainingEngine | undefined> {
  const { model, tensorflow, now = () => performance.now() } = options;
  if (tensorflow === undefined || stepCost(model) < WIDE_STEP) return undefined;
  const opened = await tensorflow().catch(() => undefined);
  if (opened === undefined || !ACCELERATORS.includes(opened.backend)) return undefined;
  const other = await createEngine({ model, ...opened });
  return (await rehearse(other, now)) < (await rehearse(own, now)) ? other : undefined;
}
