import type { Model, TrainingEngine } from '@tutti/model';
import { engineOf } from './engine-of.ts';
import { openTypescriptKernel } from './typescript-kernel.ts';
import { openWasmEngine } from './wasm-engine.ts';
import { wasmKernelRuns } from './wasm-kernel.ts';

/** The kernel as an engine, in WebAssembly where that runs; nothing of TensorFlow.js comes with it. */
export function openKernelEngine(model: Model): TrainingEngine {
  return kernelEngine(model, wasmKernelRuns() ? 'simd' : 'ts');
}

/**
 * The kernel in WebAssembly or in TypeScript, as an engine.
 * @throws {UsageError} for what no kernel has, such as an app's own model or another loss.
 */
export function kernelEngine(model: Model, name: 'simd' | 'ts'): TrainingEngine {
  return name === 'simd' ? openWasmEngine(model) : engineOf(model, 'ts', openTypescriptKernel);
}
