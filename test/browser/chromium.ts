import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright';
import type { BrowserRecommender, RecommenderOptions, Warning } from '@tutti/client-browser';

/** Real pages in the system's Chromium: the SDK bundled from its sources, served by a small web server. */

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where Chromium is on this machine, if it is. */
export const chromiumPath = process.env['TUTTI_CHROMIUM'] ?? PLACES.find((path) => existsSync(path));

/** Why a test that needs Chromium does not run here; `npm test` counts that as a failure in CI. */
export const NO_CHROMIUM = 'needs chromium: none of ' + PLACES.join(', ') + ' is there';

/** A name that leads to this machine and is no secure context, as `localhost` is. */
const INSECURE_HOST = 'insecure.test';

export async function launchChromium(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath as string,
    args: ['--no-sandbox', `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`, ...args],
  });
}

const source = (file: string): string =>
  fileURLToPath(new URL(`../../packages/client-browser/src/${file}`, import.meta.url));

export interface Bundle {
  readonly path: string;
  readonly text: string;
}

/** The SDK as a page without a bundler loads it. @param more further entry points by name, which may need TensorFlow.js. */
export async function bundleSdk(
  more: Readonly<Record<string, string>> = {},
  { tensorflow = false }: { readonly tensorflow?: boolean } = {},
): Promise<readonly Bundle[]> {
  const { outputFiles } = await build({
    entryPoints: {
      index: source('index.ts'),
      worker: source('worker.ts'),
      'worker-without-wasm': source('worker-without-wasm.ts'),
      'in-page': source('in-page.ts'),
      'in-place': source('in-place.ts'),
      receipts: source('receipts-element.ts'),
      ...more,
    },
    bundle: true,
    splitting: true,
    // All of TensorFlow.js would take longer than it is worth.
    minify: !tensorflow,
    write: false,
    outdir: '/sdk',
    format: 'esm',
    platform: 'browser',
    conditions: ['@tutti/source'],
    external: tensorflow ? [] : ['@tensorflow/*'],
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  });
  return outputFiles.map(({ path, text }) => ({ path, text }));
}

const PAGE =
  '<!doctype html><html lang="en"><title>test</title><script type="module" src="/page.js"></script><main></main>';
// tsx gives functions that a test sends into a page a helper that names them.
const PAGE_SCRIPT = `globalThis.__name = (named) => named; import * as sdk from '/sdk/index.js'; globalThis.sdk = sdk; globalThis.loaded = true;`;

/** A web server for pages of a site that embeds the SDK. */
export interface Site {
  readonly url: string;
  /** The same over plain http from a name that browsers do not trust. */
  readonly insecureUrl: string;
  readonly port: number;
  close(): Promise<void>;
}

/** The SDK's files once more, under headers of their own: a worker has the policy that its own file came with. */
const NO_WASM = /^\/no-wasm(?=\/sdk\/)/;

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  wasm: 'application/wasm',
};

/** @param headers by path, such as a content policy. */
export async function openSite(
  files: readonly Bundle[],
  headers: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
  more: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<Site> {
  const texts = new Map<string, string | Uint8Array>([
    ['/page.js', PAGE_SCRIPT],
    ...files.map(({ path, text }) => [path, text] as const),
    ...Object.entries(more),
  ]);
  const server: Server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://site').pathname;
    const file = texts.get(path.replace(NO_WASM, ''));
    const type =
      TYPES[file === undefined ? '' : path.slice(path.lastIndexOf('.') + 1)] ?? 'text/html; charset=utf-8';
    response.writeHead(200, { 'content-type': type, ...headers[path] }).end(file ?? PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}`,
    insecureUrl: `http://${INSECURE_HOST}:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** What a test page keeps in its global scope. */
export interface PageGlobals {
  sdk: typeof import('@tutti/client-browser');
  tutti: BrowserRecommender;
  warnings: Warning[];
  heard: { type: string; [field: string]: unknown }[];
}

/** Opens a page of the site, with the SDK in it. */
export async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction('globalThis.loaded === true');
  return page;
}

/** Opens a recommender in a page, as a test federation allows it. */
export async function openInPage(page: Page, options: RecommenderOptions): Promise<void> {
  await page.evaluate(async (asked) => {
    const here = globalThis as unknown as PageGlobals;
    here.warnings = [];
    here.heard = [];
    here.tutti = await here.sdk.openRecommender({
      ...asked,
      onWarning: (warning) => here.warnings.push(warning),
    });
    for (const type of [
      'round',
      'declined',
      'connected',
      'disconnected',
      'phase',
      'receipt',
      'consent',
    ] as const)
      here.tutti.on(type, (event) => here.heard.push(event));
  }, options);
}

/** Runs in a page, with its recommender. */
export function inPage<T, A>(
  page: Page,
  work: (tutti: BrowserRecommender, asked: A) => Promise<T>,
  asked?: A,
): Promise<T> {
  return page.evaluate<T>(`(${work.toString()})(globalThis.tutti, ${JSON.stringify(asked) ?? 'undefined'})`);
}

/** Events of one type that a page heard. */
export const heardIn = (page: Page, type: string) =>
  page.evaluate(
    (wanted) => (globalThis as unknown as PageGlobals).heard.filter((event) => event.type === wanted),
    type,
  );

/** Codes of the warnings in a page, each as often as it came. */
export const warningsIn = (page: Page): Promise<string[]> =>
  page.evaluate(() => (globalThis as unknown as PageGlobals).warnings.map(({ code }) => code));
