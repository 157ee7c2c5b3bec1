import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Setting } from './page/setting.ts';
import type { SiteFile } from './site.ts';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Nothing but this site and its coordinator, no code from text, and no page of anybody else around it. */
export function headersFor(coordinator: string): Readonly<Record<string, string>> {
  const socket = coordinator.replace(/^http/, 'ws');
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self' 'wasm-unsafe-eval'",
      "worker-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      `connect-src 'self' ${coordinator} ${socket}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'referrer-policy': 'no-referrer',
  };
}

/** The site's files by their path. */
export async function siteFiles(setting: Setting): Promise<ReadonlyMap<string, SiteFile>> {
  const [page, style, panels, chart, scripts] = await Promise.all([
    readFile(here('page/index.html'), 'utf8'),
    readFile(here('page/style.css'), 'utf8'),
    readFile(here('page/panels.css'), 'utf8'),
    readFile(fileURLToPath(import.meta.resolve('uplot/dist/uPlot.min.css')), 'utf8'),
    bundled(),
  ]);
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', body: page }],
    ['/style.css', { type: 'text/css; charset=utf-8', body: chart + style + panels }],
    ['/setting.json', { type: 'application/json', body: JSON.stringify(setting) }],
    ...scripts,
  ]);
}

/** The page's script and its worker's, with the SDK in them. */
async function bundled(): Promise<(readonly [path: string, file: SiteFile])[]> {
  const { outputFiles } = await build({
    entryPoints: {
      demo: here('page/main.ts'),
      worker: here('page/worker.ts'),
      'in-page': fileURLToPath(import.meta.resolve('@tutti/client-browser/in-page')),
    },
    outdir: '/',
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@tutti/source'],
    external: ['@tensorflow/*'],
    logLevel: 'warning',
  });
  return outputFiles.map(({ path, text }) => [
    path.replaceAll('\\', '/').replace(/^[A-Za-z]:/, ''),
    { type: 'text/javascript; charset=utf-8', body: text },
  ]);
}
