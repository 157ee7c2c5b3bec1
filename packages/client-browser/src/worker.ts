// First what holds WebAssembly as text: gzip packs a program better whose long texts stand at its begin.
import { wasmKernelRuns } from '@tutti/engine-simd/wasm-kernel';
import { wasmParts } from './wasm-parts.ts';
import { NO_WASM, serveRoom } from './serve-room.ts';

// Nothing happens where this is loaded outside a worker.
if ('WorkerGlobalScope' in globalThis) {
  if (wasmKernelRuns()) serveRoom(wasmParts);
  else globalThis.postMessage(NO_WASM);
}
