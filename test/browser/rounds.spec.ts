import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from '../wire/federation.ts';
import {
  bundleSdk,
  chromiumPath,
  heardIn,
  inPage,
  launchChromium,
  NO_CHROMIUM,
  openInPage,
  openPage,
  openSite,
  warningsIn,
  type Site,
} from './chromium.ts';

/** How the pages of these tests open a recommender. */
export const asked = (coordinator: string) => ({
  coordinator,
  task: 'films',
  policy: { smallestCohort: 2, insecureSmallCohort: true },
  backOff: { firstMs: 50, mostMs: 300 },
  answerEveryMs: 20,
  eligibility: { idleMs: 0 },
});

describe('rounds in real pages', () => {
  let browser: Browser | undefined;
  let site: Site;
  let federation: WireFederation;
  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    browser = await launchChromium();
    site = await openSite(await bundleSdk());
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  beforeEach(async (ctx) => {
    if (browser === undefined) return ctx.skip(NO_CHROMIUM);
    federation = await openWireFederation(wireConfig({ rounds: 100 }));
  });
  afterEach(async () => federation?.close());

  const nodeClients = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) => federation.client(`node-${i}`, FILMS.slice(3 * i, 3 * i + 9))),
    );

  it('pages and Node clients make one cohort, and each recommends for its own person', async () => {
    const contexts = await Promise.all([browser!.newContext(), browser!.newContext()]);
    const pages = await Promise.all(contexts.map((context) => openPage(context, site.url)));
    for (const [i, page] of pages.entries()) {
      await openInPage(page, asked(federation.url));
      await inPage(
        page,
        (tutti, likes) => tutti.record(likes.map((item) => ({ item }))),
        FILMS.slice(40 * i, 40 * i + 9),
      );
      await inPage(page, (tutti) => tutti.consent.grant());
    }
    await federation.run(await nodeClients(4), rounds(2));
    expect(federation.coordinator.coordination.rounds('films')[1]?.reported).toBe(6);
    for (const [i, page] of pages.entries()) {
      expect(await warningsIn(page)).toEqual([]);
      const list = await inPage(page, (tutti) => tutti.recommend({ k: 5 }));
      expect(list).toHaveLength(5);
      expect(list.some(({ item }) => FILMS.slice(40 * i, 40 * i + 9).includes(item))).toBe(false);
      const { list: receipts } = await inPage(page, (tutti) => tutti.receipts());
      expect(receipts.at(-1)?.text).toMatch(/added to a sum over 6 people\. \d kB left it, all masked/);
      expect((await heardIn(page, 'round')).length).toBeGreaterThanOrEqual(2);
    }
    await Promise.all(contexts.map((context) => context.close()));
  });
});
