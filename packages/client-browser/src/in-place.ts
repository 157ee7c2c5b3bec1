import { openKernelEngine, wasmKernelRuns } from '@tutti/engine-simd';
import { decodeModelConfig } from '@tutti/model';
// By its own path, so that no bundler brings the mask stream in TypeScript to where WebAssembly runs.
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import type { OpenChannels } from '@tutti/client/sdk';
import type { BrowserRecommender, OpenOptions } from './facade.ts';
import { openHere } from './here.ts';
import type { OpenEngine } from './host.ts';

export { openChannels } from '@tutti/client/sdk';

/** What a recommender without a worker is opened with. */
export interface InPlaceOptions extends OpenOptions {
  /** What trains a model, such as TensorFlow.js for a model of the app's own; by default the built-in kernel. */
  readonly engine?: OpenEngine;
  /** The function of that name, to rank with models that operators put on channels; the newest, when left out. */
  readonly openChannels?: OpenChannels;
}

/**
 * Opens a recommender that trains where it is called: in a service worker, which has no workers of its own, or in an app's worker.
 * In a page it would keep the page waiting while it trains.
 * @throws {UsageError} for an option that is not what it must be.
 */
export function openRecommender({
  engine,
  openChannels,
  ...options
}: InPlaceOptions): Promise<BrowserRecommender> {
  const wasm = engine !== undefined || wasmKernelRuns();
  return openHere(options, {
    openEngine: engine ?? openKernelEngine,
    decodeConfig: decodeModelConfig,
    wasm,
    crypto: portableCrypto,
    openChannels,
  });
}
