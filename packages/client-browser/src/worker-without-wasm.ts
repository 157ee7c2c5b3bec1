import { openKernelEngine } from '@tutti/engine-simd';
import { serveRoom } from './serve-room.ts';

// The worker that is loaded in place of the other, where that finds no WebAssembly.
if ('WorkerGlobalScope' in globalThis) serveRoom({ openEngine: openKernelEngine, wasm: false });
