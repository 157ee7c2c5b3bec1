import { expose } from 'comlink';
import type { OpenEngine } from './host.ts';
import { createRoom } from './room.ts';

/** What a worker says once it can be talked to. */
export const READY = 'tutti-ready';

/**
 * Serves one recommender from the worker that this runs in. An app needs it only for a worker file of its own, which it passes as
 * `worker` to `openRecommender`: to give it TensorFlow.js for models of its own.
 *
 * @param options.engine what trains a model; the built-in kernel, when left out.
 */
export function serveRecommender({ engine }: { engine?: OpenEngine } = {}): void {
  expose(createRoom(engine));
  globalThis.postMessage(READY);
}
