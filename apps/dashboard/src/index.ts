/**
 * The dashboard of a coordinator, as files that it serves.
 *
 * ```ts
 * import { dashboardFiles } from '@tutti/dashboard';
 *
 * const files = await dashboardFiles();
 * console.log(files.get('/')?.type); // 'text/html; charset=utf-8'
 * ```
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PAGE, PAGE_HEADERS } from './html.ts';

/** A file of a page: what a server answers a path with. */
export interface PageFile {
  readonly type: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const built = fileURLToPath(new URL('page.js', import.meta.url));

/** The dashboard's files by their path: the page at `/`, its script beside it. */
export async function dashboardFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const script = existsSync(built) ? await readFile(built, 'utf8') : await bundled();
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', body: PAGE, headers: PAGE_HEADERS }],
    ['/dashboard.js', { type: 'text/javascript; charset=utf-8', body: script, headers: {} }],
  ]);
}

/** From a checkout: the sources, bundled now. */
async function bundled(): Promise<string> {
  const bundler = new URL('../bundle.mjs', import.meta.url).href;
  const { bundlePage } = (await import(bundler)) as { bundlePage(): Promise<string> };
  return bundlePage();
}
