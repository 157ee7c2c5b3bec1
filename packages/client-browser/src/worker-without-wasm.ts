import { openKernelEngine } from '@tutti/engine-simd';
import { decodeKernelConfig } from '@tutti/model';
// By its own path, so that no bundler brings the mask stream in TypeScript to where WebAssembly runs.
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { serveRoom } from './serve-room.ts';

// The worker that is loaded in place of the other, where that finds no WebAssembly.
if ('WorkerGlobalScope' in globalThis)
  serveRoom({
    openEngine: openKernelEngine,
    decodeConfig: decodeKernelConfig,
    wasm: false,
    crypto: portableCrypto,
  });
