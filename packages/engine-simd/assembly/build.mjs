#!/usr/bin/env node
/** Compiles the training and ranking kernel, and the same one for registers of 256 bits; see tools/wasm.mjs. */
import { wasm } from '../../../tools/wasm.mjs';

const folder = new URL('./', import.meta.url);
// Where size counts, too, what is to stand in place says so itself.
const kernel = { folder, entry: 'index.ts', memory: ['--importMemory'], optimize: '-O3s' };
await wasm({ ...kernel, target: new URL('../src/kernel-wasm.gen.ts', import.meta.url), name: 'KERNEL_WASM' });
await wasm({
  ...kernel,
  target: new URL('../src/wide-kernel-wasm.gen.ts', import.meta.url),
  name: 'WIDE_KERNEL_WASM',
  instead: { 'tile.ts': 'tile-wide.ts' },
});
