import type { Browser } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openWireFederation, wireConfig, type WireFederation } from '../wire/federation.ts';
import {
  chromiumPath,
  inPage,
  launchChromium,
  NO_CHROMIUM,
  openInPage,
  openPage,
  openSite,
  warningsIn,
} from './chromium.ts';
import { asked } from './fixture-options.ts';
import { builtByVite, builtByWebpack, unbundled } from './packed.ts';

/** A page of somebody else's, from the packages as they are published, in Chromium. */

describe.each([
  ['Vite', builtByVite],
  ['webpack', builtByWebpack],
  ['no bundler', unbundled],
] as const)('the packages with %s, without any configuration', (name, built) => {
  let browser: Browser | undefined;
  let federation: WireFederation;
  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    browser = await launchChromium();
    federation = await openWireFederation(wireConfig(), { engine: 'auto' });
  });
  afterAll(async () => {
    await browser?.close();
    await federation?.close();
  });
  beforeEach((ctx) => {
    if (browser === undefined) ctx.skip(NO_CHROMIUM);
  });

  it(
    'find the worker, which recommends; without WebAssembly the other one, and without a worker what trains in the page',
    { timeout: 120_000 },
    async () => {
      const files = await built();
      const policy = (text: string) =>
        Object.fromEntries(files.map(({ path }) => [path, { 'content-security-policy': text }]));
      for (const [headers, workers, warnings] of [
        [{}, 1, []],
        [policy("script-src 'self'"), 1, ['wasm-blocked']],
        [policy("script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'"), 0, ['worker-blocked']],
      ] as const) {
        const site = await openSite(files, headers);
        const context = await browser!.newContext();
        try {
          const page = await openPage(context, `${site.url}/index.html`);
          await openInPage(page, asked(federation.url));
          expect(page.workers(), name).toHaveLength(workers);
          await inPage(page, (tutti) => tutti.record({ item: 'film-1' }));
          expect(await inPage(page, (tutti) => tutti.recommend({ k: 3 }))).toHaveLength(3);
          expect(await warningsIn(page)).toEqual(warnings);
        } finally {
          await context.close();
          await site.close();
        }
      }
    },
  );
});
