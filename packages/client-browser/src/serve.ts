import type { OpenTensorflow } from '@tutti/engine-simd';
import { expose } from 'comlink';
import { createRoom } from './room.ts';

/** What a worker says once it can be talked to. */
export const READY = 'tutti-ready';

/**
 * Serves one recommender from the worker that this runs in. An app needs it only for a worker file of its own, which it passes as
 * `worker` to `openRecommender`: to give it TensorFlow.js for models of its own.
 */
export function serveRecommender(options: { tensorflow?: () => Promise<OpenTensorflow> } = {}): void {
  expose(createRoom(options));
  globalThis.postMessage(READY);
}
