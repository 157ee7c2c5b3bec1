#!/usr/bin/env node
/** Compiles the training and ranking kernel; see tools/wasm.mjs. */
import { wasm } from '../../../tools/wasm.mjs';

await wasm({
  folder: new URL('./', import.meta.url),
  entry: 'index.ts',
  target: new URL('../src/kernel-wasm.gen.ts', import.meta.url),
  name: 'KERNEL_WASM',
  memory: ['--importMemory'],
});
