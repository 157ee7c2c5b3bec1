import { openKernelEngine, wasmKernelRuns } from '@tutti/engine-simd';
// By its own path, so that no bundler brings the mask stream in TypeScript to where WebAssembly runs.
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { serveRoom } from './serve-room.ts';
import type { OpenEngine } from './host.ts';

/**
 * Serves one recommender from the worker that this runs in. An app needs it only for a worker file of its own, which it passes as
 * `worker` to `openRecommender`: to give it TensorFlow.js for models of its own.
 *
 * @param options.engine what trains a model; the built-in kernel, when left out.
 */
export function serveRecommender({ engine }: { engine?: OpenEngine } = {}): void {
  serveRoom({
    openEngine: engine ?? openKernelEngine,
    wasm: engine !== undefined || wasmKernelRuns(),
    crypto: portableCrypto,
  });
}
