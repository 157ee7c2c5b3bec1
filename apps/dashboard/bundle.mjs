import { build } from 'esbuild';
import { writeFile } from 'node:fs/promises';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

/** The page's script: bundled when the package is built, or by a checkout when it is first asked for. */
export async function bundlePage() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('src/page/main.ts', import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    conditions: ['@tutti/source'],
    loader: { '.css': 'text' },
  });
  return outputFiles[0].text;
}

if (argv[1] === fileURLToPath(import.meta.url))
  await writeFile(new URL('dist/page.js', import.meta.url), await bundlePage());
