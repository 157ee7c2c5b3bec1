// By its own path, so that no bundler brings the kernel in TypeScript along.
import { openWasmEngine } from '@tutti/engine-simd/wasm';
import { decodeKernelConfig } from '@tutti/model';
import { wasmCrypto } from '@tutti/secure-aggregation';
import type { EngineParts } from './host.ts';

/** What a room is made of where WebAssembly runs. */
export const wasmParts: EngineParts = {
  openEngine: openWasmEngine,
  decodeConfig: decodeKernelConfig,
  wasm: true,
  crypto: wasmCrypto,
};
