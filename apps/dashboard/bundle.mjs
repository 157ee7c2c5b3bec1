// The page's script, as the built package serves it.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

await build({
  entryPoints: [fileURLToPath(new URL('src/page/main.ts', import.meta.url))],
  outfile: fileURLToPath(new URL('dist/page.js', import.meta.url)),
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  conditions: ['@tutti/source'],
  loader: { '.css': 'text' },
});
