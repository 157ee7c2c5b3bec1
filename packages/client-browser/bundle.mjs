#!/usr/bin/env node
/**
 * Builds what a page loads without a bundler, after tsc: `dist/bundle/index.js` with its worker beside it, each complete.
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));

await build({
  absWorkingDir: here,
  entryPoints: ['index', 'worker', 'worker-without-wasm', 'in-place', 'receipts-element'].map(
    (name) => `dist/${name}.js`,
  ),
  outdir: 'dist/bundle',
  bundle: true,
  splitting: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  external: ['@tensorflow/*'],
  logLevel: 'warning',
});
