import { UsageError } from '@tutti/base';
import {
  beyondKernel,
  checkedDefinition,
  definitionOf,
  rehearseDefinition,
  type BackendName,
  type Model,
  type OwnModel,
  type TrainingEngine,
} from '@tutti/model';
import { openNodeTensorflow } from '@tutti/model/node';
import { openTrainingEngine, stepCost, WIDE_STEP, type EngineChoice } from './engine.ts';
import type { OpenKernel } from './kernel.ts';
import { inOneMemory } from './reused-kernel.ts';
import { openWasmKernel } from './wasm-kernel.ts';

export { wideKernel } from './wide-kernel.ts';

/** An engine, and what people should know of it. */
export interface OpenedEngine {
  readonly engine: TrainingEngine;
  readonly notes: readonly string[];
}

/** Why an engine is not opened with a backend: that is one of TensorFlow.js. Undefined where it is. */
export function backendProblem(engine: EngineChoice, backend: BackendName | 'auto'): string | undefined {
  if (engine === 'auto' || engine === 'tfjs' || backend === 'auto') return undefined;
  return `backend: ${backend} is one of TensorFlow.js, and the engine ${engine} has none; leave one of the two out`;
}

/** Whether {@link openNodeEngine} may load TensorFlow.js, be it for a trial alone. */
export function mayLoadTensorflow(options: {
  model: Model;
  engine: EngineChoice;
  backend: BackendName | 'auto';
}): boolean {
  const { model, engine, backend } = options;
  if (engine !== 'auto') return engine === 'tfjs';
  return backend !== 'auto' || beyondKernel(model.config) !== undefined || stepCost(model) >= WIDE_STEP;
}

/**
 * {@link openTrainingEngine} in Node, with the TensorFlow.js backend that is asked for.
 * @param options.kernel as {@link wideKernel} gives it. @param options.oneAfterAnother whether each of its models is disposed of before the
 * next one is loaded: they stand in one memory then. @param options.engine default `auto`; but a `backend` that is asked for by name is one of TensorFlow.js, so it means `tfjs`.
 * An app's own model trains a made-up person first, so that what its code does wrong is known before anybody's time is spent.
 * @throws {UsageError} what is wrong with that code, or with engine and backend together. @throws {EnvironmentError} where what was asked for cannot be had.
 */
export async function openNodeEngine(options: {
  model: Model;
  definition?: OwnModel;
  engine?: EngineChoice;
  backend?: BackendName | 'auto';
  kernel?: WebAssembly.Module | undefined;
  oneAfterAnother?: boolean;
}): Promise<OpenedEngine> {
  const { model, backend = 'auto', engine: asked = 'auto', kernel } = options;
  const problem = backendProblem(asked, backend);
  if (problem !== undefined) throw new UsageError(problem);
  const definition = definitionOf(model.config, options.definition);
  const own = definition === undefined ? {} : { definition: checkedDefinition(definition) };
  const choice = asked === 'auto' && backend !== 'auto' ? 'tfjs' : asked;
  let notes: readonly string[] = [];
  const tensorflow = async () => {
    const opened = await openNodeTensorflow({ backend, model, ...own });
    notes = opened.notes;
    return opened;
  };
  const open: OpenKernel = (bytes) => openWasmKernel(bytes, kernel);
  const openKernel = options.oneAfterAnother === true ? inOneMemory(open) : open;
  const engine = await openTrainingEngine({ model, engine: choice, tensorflow, openKernel, ...own });
  if (definition !== undefined) await rehearseDefinition(engine);
  if (engine.engine === 'simd' && kernel !== undefined)
    return { engine, notes: ['the kernel runs in registers of 256 bits'] };
  return { engine, notes: engine.engine === 'tfjs' ? notes : [] };
}
