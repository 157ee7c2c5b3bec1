#!/usr/bin/env node
/** Compiles stochastic rounding; see tools/wasm.mjs. */
import { wasm } from '../../../tools/wasm.mjs';

await wasm({
  folder: new URL('./', import.meta.url),
  entry: 'rounding.ts',
  target: new URL('../src/rounding-wasm.gen.ts', import.meta.url),
  name: 'ROUNDING_WASM',
  memory: ['--initialMemory=2', '--maximumMemory=2'],
});
