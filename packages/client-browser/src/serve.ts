import { openKernelEngine, wasmKernelRuns } from '@tutti/engine-simd';
import { decodeModelConfig } from '@tutti/model';
// By its own path, so that no bundler brings the mask stream in TypeScript to where WebAssembly runs.
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { serveRoom } from './serve-room.ts';
import type { OpenChannels } from '@tutti/client/sdk';
import type { OpenEngine } from './host.ts';

export { openChannels } from '@tutti/client/sdk';

/**
 * Serves one recommender from the worker that this runs in. An app needs it only for a worker file of its own, which it passes as
 * `worker` to `openRecommender`: to give it TensorFlow.js for models of its own, or channels.
 *
 * @param options.engine what trains a model; the built-in kernel, when left out.
 * @param options.openChannels the function of that name, to rank with models that operators put on channels; the newest, when left out.
 */
export function serveRecommender({
  engine,
  openChannels,
}: { engine?: OpenEngine; openChannels?: OpenChannels } = {}): void {
  serveRoom({
    openEngine: engine ?? openKernelEngine,
    decodeConfig: decodeModelConfig,
    wasm: engine !== undefined || wasmKernelRuns(),
    crypto: portableCrypto,
    openChannels,
  });
}
