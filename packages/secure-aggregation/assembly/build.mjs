#!/usr/bin/env node
/** Compiles the mask stream, and TweetNaCl; see tools/wasm.mjs. */
import { wasm } from '../../../tools/wasm.mjs';

const folder = new URL('./', import.meta.url);

await wasm({
  folder,
  entry: 'chacha20.ts',
  target: new URL('../src/chacha20-wasm.gen.ts', import.meta.url),
  name: 'CHACHA20_WASM',
  memory: ['--initialMemory=2', '--maximumMemory=2'],
});

await wasm({
  folder,
  entry: 'tweetnacl.ts',
  target: new URL('../src/tweetnacl-wasm.gen.ts', import.meta.url),
  name: 'TWEETNACL_WASM',
  // Constants stand behind the round constants of SHA-512.
  memory: ['--initialMemory=1', '--memoryBase=640'],
  // A third smaller than at -O3, and no slower.
  optimize: '-O3s',
});
