import type { Browser, BrowserContext, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { RecommenderOptions } from '@tutti/client-browser';
import type { Client } from '@tutti/client-node';
import { asked, LIKES } from './fixture-options.ts';
import { FILMS, openWireFederation, wireConfig, type WireFederation } from '../wire/federation.ts';
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
  type Bundle,
  type Site,
} from './chromium.ts';

/** What the tests of a file share: a browser with the SDK on a site, and for each test a coordinator and a fresh profile. */
export interface Stage {
  readonly browser: Browser;
  readonly site: Site;
  readonly federation: WireFederation;
  readonly context: BrowserContext;
  /** A page of this profile with a recommender that knows what its person likes. */
  person(options?: PersonOptions): Promise<Page>;
  /** Clients in this process. */
  nodes(count: number): Promise<Client[]>;
}

export interface PersonOptions extends Partial<RecommenderOptions> {
  readonly path?: string;
  readonly likes?: readonly string[];
  readonly consent?: boolean;
}

/** Sets the stage for the tests of one file. */
export function useStage(
  serve: (files: readonly Bundle[]) => Promise<Site> = (files) => openSite(files),
  entries: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
): Stage {
  let browser: Browser | undefined;
  let site: Site | undefined;
  let federation: WireFederation | undefined;
  let context: BrowserContext | undefined;
  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    [browser, site] = await Promise.all([launchChromium(flags), bundleSdk(entries).then(serve)]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  beforeEach(async (ctx) => {
    if (browser === undefined) return ctx.skip(NO_CHROMIUM);
    const deadlines = { trainMs: 2_000, shareKeysMs: 700, maskedInputMs: 700, unmaskMs: 700 };
    const round = { cohort: 4, smallestCohort: 3, overselection: 1, selectionMs: 150, deadlines };
    federation = await openWireFederation(wireConfig({ rounds: 1_000, round }), { engine: 'auto' });
    context = await browser.newContext();
    context.setDefaultTimeout(10_000);
  });
  afterEach(async () => {
    await context?.close();
    await federation?.close();
  });
  return {
    get browser() {
      return browser!;
    },
    get site() {
      return site!;
    },
    get federation() {
      return federation!;
    },
    get context() {
      return context!;
    },
    async person({ path = '/', likes = LIKES, consent = true, ...options } = {}) {
      const page = await openPage(context!, site!.url + path);
      await openInPage(page, { ...asked(federation!.url), ...options });
      await inPage(page, (tutti, items) => tutti.record(items.map((item) => ({ item }))), likes);
      if (consent) await inPage(page, (tutti) => tutti.consent.grant());
      return page;
    },
    nodes: (count) =>
      Promise.all(
        Array.from({ length: count }, (_, i) =>
          federation!.client(`node-${i}`, FILMS.slice(3 * i, 3 * i + 9)),
        ),
      ),
  };
}

/** Waits until a page heard an event of this type (and phase), by default at most ten seconds. */
export async function untilHeard(
  page: Page,
  type: string,
  phase?: string,
  times = 1,
  timeout = 10_000,
): Promise<void> {
  await page.waitForFunction(
    ([wanted, of, count]) =>
      (globalThis as unknown as { heard: { type: string; phase?: string }[] }).heard.filter(
        (event) => event.type === wanted && (of === null || event.phase === of),
      ).length >= count,
    [type, phase ?? null, times] as const,
    { timeout, polling: 10 },
  );
}

/** Lets Node clients take part while `story` happens. */
export async function meanwhile<T>(
  federation: WireFederation,
  clients: readonly Client[],
  story: () => Promise<T>,
): Promise<T> {
  let over = false;
  const running = federation.run(clients, () => over);
  try {
    return await story();
  } finally {
    over = true;
    await running;
  }
}

/** How many rounds are committed. */
export const committed = (federation: WireFederation): number =>
  federation.events.filter(({ type }) => type === 'committed').length;

/** Waits for more rounds. */
export async function moreRounds(federation: WireFederation, more: number): Promise<void> {
  const wanted = committed(federation) + more;
  for (let waits = 0; waits < 500 && committed(federation) < wanted; waits++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  if (committed(federation) < wanted) throw new Error('no round was committed in ten seconds');
}

/** Rounds that a page saw the end of with its part in them. */
export const committedIn = async (page: Page): Promise<number> =>
  (await heardIn(page, 'round')).filter((event) => event['outcome'] === 'committed').length;
