/**
 * Training and ranking of the built-in families on the device: a WebAssembly SIMD kernel of a few kilobytes, inlined, and the
 * same in plain TypeScript. Both compute what the TensorFlow.js definitions of `@tutti/model` compute, to float32 rounding.
 *
 * ```ts
 * import { keepLocal, seededRandom } from '@tutti/base';
 * import { openTrainingEngine } from '@tutti/engine-simd';
 * import { createModel, initialShared, resolveModelConfig } from '@tutti/model';
 *
 * const model = createModel(resolveModelConfig({ family: 'mlp' }, { items: 500, meanHistory: 20 }), 500);
 * const engine = await openTrainingEngine({ model });
 * const loaded = await engine.load(initialShared(model, seededRandom(1)));
 * const data = { positives: keepLocal(Int32Array.of(3, 5, 8)) };
 * const vector = await loaded.personalize(undefined, data, seededRandom(2));
 * const best = await loaded.rank(vector, { k: 10, exclude: data.positives });
 * console.log(engine.engine, best.items);
 * ```
 */
export { openTrainingEngine, stepCost, WIDE_STEP } from './engine.ts';
export type { EngineChoice, EngineOptions, OpenTensorflow } from './engine.ts';
export { openKernelEngine } from './kernel-engine.ts';
export { loadTower } from './kernel-tower.ts';
export { loadFactorization } from './kernel-factorization.ts';
export type { TowerModel } from './tower-memory.ts';
export type { Kernel, OpenKernel } from './kernel.ts';
export { openTypescriptKernel } from './typescript-kernel.ts';
export { openWasmKernel, wasmKernelRuns } from './wasm-kernel.ts';
