// By paths of their own, so that no bundler brings what is the same in TypeScript along.
import { wasmCrypto } from '@tutti/secure-aggregation/wasm';
import { openWasmEngine } from '@tutti/engine-simd/wasm';
import { decodeKernelConfig } from '@tutti/model';
import type { EngineParts } from './host.ts';

/** What a room is made of where WebAssembly runs. */
export const wasmParts: EngineParts = {
  openEngine: openWasmEngine,
  decodeConfig: decodeKernelConfig,
  wasm: true,
  crypto: wasmCrypto,
};
