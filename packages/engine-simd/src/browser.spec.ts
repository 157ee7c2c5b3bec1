import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium, type Browser, type Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bitsOfKernel } from '../test/bits.ts';
import type { Outcome } from '../test/page.ts';

/** The system's Chromium; playwright's own is a download. */
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => existsSync(path),
);

/** WebGL and WebGPU in software: right numbers, at no speed. */
const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
];

/** A page is trusted with WebGPU on this host only; nothing listens there, every request is answered here. */
const ORIGIN = 'http://localhost';

async function openPage(browser: Browser): Promise<Page> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../test/page.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    conditions: ['@tutti/source'],
    logLevel: 'error',
  });
  const script = outputFiles[0]?.text ?? '';
  const wasm = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  const page = await browser.newPage();
  await page.route(`${ORIGIN}/**`, async (route) => {
    const path = new URL(route.request().url()).pathname;
    if (path === '/')
      await route.fulfill({
        contentType: 'text/html',
        body: '<!doctype html><script src="/page.js"></script>',
      });
    else if (path === '/page.js') await route.fulfill({ contentType: 'text/javascript', body: script });
    else if (path.endsWith('.wasm'))
      await route.fulfill({ contentType: 'application/wasm', body: readFileSync(join(wasm, path)) });
    else await route.fulfill({ status: 404 });
  });
  await page.goto(`${ORIGIN}/`);
  return page;
}

describe('in Chromium', () => {
  let browser: Browser | undefined;
  let page: Page;
  beforeAll(async () => {
    if (executablePath === undefined) return;
    browser = await chromium.launch({ executablePath, args: FLAGS });
    page = await openPage(browser);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  const promises: readonly (readonly [string, number])[] = [
    ['simd', 49],
    ['wasm', 49],
    ['webgl', 7],
    ['webgpu', 7],
  ];
  for (const [which, count] of promises)
    it(`${which} keeps the engine contract`, async (ctx) => {
      if (browser === undefined) ctx.skip('needs chromium');
      const results = await page.evaluate<Outcome[]>(`outcomes(${JSON.stringify(which)})`);
      expect(results.filter(({ problem }) => problem !== undefined)).toEqual([]);
      expect(results).toHaveLength(count);
    }, 120_000);

  it('the kernel gives the bits that it gives in Node', async (ctx) => {
    if (browser === undefined) ctx.skip('needs chromium');
    expect(await page.evaluate('bitsOfKernel()')).toBe(await bitsOfKernel());
  });
});
