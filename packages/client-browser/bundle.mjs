#!/usr/bin/env node
/**
 * Builds what a page loads without a bundler, after tsc: `dist/bundle/index.js` with its worker beside it, each complete. And makes
 * `dist/in-page.js` complete, which bundlers copy as it is.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));

const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  external: ['@tensorflow/*'],
  logLevel: 'warning',
};

// Chunks are named by what they hold: those of an earlier build would stay.
rmSync(join(here, 'dist/bundle'), { recursive: true, force: true });

await build({
  ...shared,
  entryPoints: ['index', 'worker', 'worker-without-wasm', 'in-page', 'in-place', 'receipts-element'].map(
    (name) => `dist/${name}.js`,
  ),
  outdir: 'dist/bundle',
  splitting: true,
});

await build({
  ...shared,
  entryPoints: ['dist/in-page.js'],
  outfile: 'dist/in-page.js',
  allowOverwrite: true,
});
