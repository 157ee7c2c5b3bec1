#!/usr/bin/env node
/** Compiles the addition of inputs; see tools/wasm.mjs. */
import { wasm } from '../../../tools/wasm.mjs';

await wasm({
  folder: new URL('./', import.meta.url),
  entry: 'sums.ts',
  target: new URL('../src/sums-wasm.gen.ts', import.meta.url),
  name: 'SUMS_WASM',
  memory: ['--initialMemory=1'],
});
