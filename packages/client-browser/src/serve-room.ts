import { expose } from 'comlink';
import type { EngineParts } from './host.ts';
import { createRoom } from './room.ts';

/** What a worker says once it can be talked to. */
export const READY = 'tutti-ready';

/** What a worker says that needs WebAssembly, where there is none. */
export const NO_WASM = 'tutti-no-wasm';

/** Serves one recommender from the worker that this runs in. */
export function serveRoom(parts: EngineParts): void {
  expose(createRoom(parts));
  globalThis.postMessage(READY);
}
