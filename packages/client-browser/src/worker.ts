// By its own path, so that no bundler brings the kernel in TypeScript along.
import { openWasmEngine, wasmKernelRuns } from '@tutti/engine-simd/wasm';
import { wasmCrypto } from '@tutti/secure-aggregation';
import { NO_WASM, serveRoom } from './serve-room.ts';

// Nothing happens where this is loaded outside a worker.
if ('WorkerGlobalScope' in globalThis) {
  if (wasmKernelRuns()) serveRoom({ openEngine: openWasmEngine, wasm: true, crypto: wasmCrypto });
  else globalThis.postMessage(NO_WASM);
}
