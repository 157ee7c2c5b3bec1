import type { Model, TrainingEngine } from '@tutti/model';
import { engineOf } from './engine-of.ts';
import type { OpenKernel } from './kernel.ts';
import { openWasmKernel } from './wasm-kernel.ts';

export { wasmKernelRuns } from './wasm-kernel.ts';

/**
 * The kernel in WebAssembly as an engine, where `wasmKernelRuns`. An entry of its own, so that the kernel in TypeScript does not come
 * with it. @param open opens the kernel, where it is another one than the package's own.
 * @throws {UsageError} for what no kernel has, such as an app's own model or another loss.
 */
export function openWasmEngine(model: Model, open: OpenKernel = openWasmKernel): TrainingEngine {
  return engineOf(model, 'simd', open);
}
