import { wasmParts } from './wasm-parts.ts';
import { wasmKernelRuns } from '@tutti/engine-simd/wasm';
import { NO_WASM, serveRoom } from './serve-room.ts';

// Nothing happens where this is loaded outside a worker.
if ('WorkerGlobalScope' in globalThis) {
  if (wasmKernelRuns()) serveRoom(wasmParts);
  else globalThis.postMessage(NO_WASM);
}
