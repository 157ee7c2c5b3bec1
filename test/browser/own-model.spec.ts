import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, wireConfig } from '../wire/federation.ts';
import {
  bundleSdk,
  chromiumPath,
  inPage,
  launchChromium,
  NO_CHROMIUM,
  openPage,
  openSite,
  type Site,
} from './chromium.ts';
import { asked, LIKES } from './fixture-options.ts';
import { meanwhile, untilHeard } from './fixture.ts';
import { habits } from './own-definition.ts';

/** An app's own model in a page: trained by TensorFlow.js in the app's worker file, on any of its backends. */

const source = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const WASM = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));

/** WebGL and WebGPU in software. */
const FLAGS = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
];

describe("an app's own model", () => {
  let browser: Browser | undefined;
  let site: Site;
  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    const entries = { 'own-worker': source('own-worker.ts'), 'own-page': source('own-page.ts') };
    const files = await bundleSdk(entries, { tensorflow: true });
    const wasm = ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm'].map(
      (name) => [`/${name}`, readFileSync(join(WASM, name))] as const,
    );
    site = await openSite(files, {}, Object.fromEntries(wasm));
    browser = await launchChromium(FLAGS);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  beforeEach((ctx) => {
    if (browser === undefined) ctx.skip(NO_CHROMIUM);
  });

  it(
    'has the same losses on webgl and webgpu as on wasm, and leaves no tensor behind',
    { timeout: 120_000 },
    async () => {
      const page = await openPage(await browser!.newContext(), site.url);
      await page.evaluate("import('/sdk/own-page.js')");
      const on = (backend: string) =>
        page.evaluate<{ losses: number[]; left: number[] }>(`losses('${backend}')`);
      const wasm = await on('wasm');
      expect(wasm.losses[1]).toBeLessThan(0.95 * wasm.losses[0]!);
      for (const backend of ['webgl', 'webgpu']) {
        const { losses, left } = await on(backend);
        // Float32 sums in another order: 7e-7 on WebGPU. With WebGL's own ε for Adam, 1e-4, it would be 6e-3.
        losses.forEach((loss, round) =>
          expect(Math.abs(loss / wasm.losses[round]! - 1), `${backend}: ${losses.join()}`).toBeLessThan(1e-4),
        );
        expect(left, backend).toEqual([0, 0]);
      }
      expect(wasm.left).toEqual([0, 0]);
      await page.context().close();
    },
  );

  it(
    "takes part from the app's worker beside Node clients, and recommends",
    { timeout: 120_000 },
    async () => {
      const deadlines = { trainMs: 20_000, shareKeysMs: 2_000, maskedInputMs: 2_000, unmaskMs: 2_000 };
      const federation = await openWireFederation(
        wireConfig({
          model: { ...habits.config },
          strategy: { name: 'fedavg', learningRate: 1 },
          rounds: 1_000,
          round: { cohort: 3, smallestCohort: 3, overselection: 1, selectionMs: 150, deadlines },
        }),
        { model: habits, backend: 'wasm' },
      );
      const context = await browser!.newContext();
      try {
        const page = await openPage(context, site.url);
        await page.evaluate(`(async () => {
        Object.assign(globalThis, { heard: [] });
        globalThis.tutti = await sdk.openRecommender({
          ...${JSON.stringify(asked(federation.url))},
          worker: () => new Worker('/sdk/own-worker.js', { type: 'module' }),
        });
        tutti.on('receipt', (event) => heard.push(event));
        await tutti.record(${JSON.stringify(LIKES)}.map((item) => ({ item })));
        await tutti.consent.grant();
      })()`);
        const nodes = await Promise.all(
          [0, 1].map((i) => federation.client(`node-${i}`, FILMS.slice(9 * i, 9 * i + 9), { model: habits })),
        );
        await meanwhile(federation, nodes, () => untilHeard(page, 'receipt'));
        const list = await inPage(page, (tutti) => tutti.recommend({ k: 5 }));
        expect(list).toHaveLength(5);
        expect(list.some(({ item }) => LIKES.includes(item))).toBe(false);
      } finally {
        await context.close();
        await federation.close();
      }
    },
  );

  it('is refused by name where the app brings no definition', async () => {
    const federation = await openWireFederation(wireConfig({ model: { ...habits.config } }), {
      model: habits,
    });
    const context = await browser!.newContext();
    const page = await openPage(context, site.url);
    await page.evaluate(
      `sdk.openRecommender(${JSON.stringify(asked(federation.url))}).then((tutti) => { globalThis.tutti = tutti; })`,
    );
    await inPage(page, (tutti) => tutti.record({ item: 'film-1' }));
    await expect(inPage(page, (tutti) => tutti.recommend())).rejects.toThrow(/own model \(habits\)/);
    await context.close();
    await federation.close();
  });
});
