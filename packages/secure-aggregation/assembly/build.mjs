#!/usr/bin/env node
/** Compiles the mask stream; see tools/wasm.mjs. */
import { wasm } from '../../../tools/wasm.mjs';

await wasm({
  folder: new URL('./', import.meta.url),
  entry: 'chacha20.ts',
  target: new URL('../src/chacha20-wasm.gen.ts', import.meta.url),
  name: 'CHACHA20_WASM',
  memory: ['--initialMemory=2', '--maximumMemory=2'],
});
