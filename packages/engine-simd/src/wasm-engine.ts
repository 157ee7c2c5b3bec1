import type { Model, TrainingEngine } from '@tutti/model';
import { engineOf } from './engine-of.ts';
import { openWasmKernel } from './wasm-kernel.ts';

export { wasmKernelRuns } from './wasm-kernel.ts';

/**
 * The kernel in WebAssembly as an engine, where `wasmKernelRuns`. An entry of its own, so that the kernel in TypeScript does not come
 * with it. @param module as {@link openWasmKernel} takes it.
 * @throws {UsageError} for what no kernel has, such as an app's own model or another loss.
 */
export function openWasmEngine(model: Model, module?: WebAssembly.Module): TrainingEngine {
  return engineOf(model, 'simd', (bytes) => openWasmKernel(bytes, module));
}
