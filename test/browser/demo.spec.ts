import { mkdirSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { memoryClientStore } from '@tutti/client';
import { createClient, createSharedEngine, type Client, type SharedEngine } from '@tutti/client-node';
import { openDemo, type Demo, type Film } from '@tutti/demo';
import type { Browser, BrowserContext, Page } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { barriers } from './axe.ts';
import { chromiumPath, launchChromium, NO_CHROMIUM } from './chromium.ts';

/** The demo as a visitor finds it, in Chromium: its page, its coordinator, and its population in a process of its own. */

/** Pictures for people to look at; never committed. */
const ARTEFACTS = fileURLToPath(new URL('../../test-artefacts/', import.meta.url));

/** Rounds after which a taste shows. */
const ROUNDS = 10;

describe('the demo', () => {
  let browser: Browser | undefined;
  let demo: Demo;
  let engine: SharedEngine;
  let judges: readonly Judge[] = [];

  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    mkdirSync(ARTEFACTS, { recursive: true });
    [browser, demo] = await Promise.all([
      launchChromium(),
      openDemo({ port: 0, people: 45, cohort: 18, restMs: 50 }),
    ]);
    engine = await createSharedEngine({ engine: 'simd' });
    judges = await openJudges(demo, engine);
  }, 60_000);

  afterAll(async () => {
    await Promise.all(judges.map(({ client }) => client.close()));
    engine?.close();
    await browser?.close();
    await demo?.close();
  }, 30_000);

  beforeEach((ctx) => {
    if (browser === undefined) ctx.skip(NO_CHROMIUM);
  });

  const visit = async (
    look: { colorScheme?: 'light' | 'dark'; width?: number; height?: number; context?: BrowserContext } = {},
  ): Promise<{ page: Page; problems: string[] }> => {
    const { colorScheme = 'light', width = 1_280, height = 900 } = look;
    const context = look.context ?? (await browser!.newContext({ colorScheme, viewport: { width, height } }));
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(message.text());
    });
    await page.goto(demo.url);
    await films(page, 'For you').first().waitFor();
    return { page, problems };
  };

  it(
    'a visitor likes films, takes part, sees what left, leaves, and is forgotten',
    { timeout: 240_000 },
    async () => {
      expect(demo.coordination.status('films')).toMatchObject({ round: 0, connected: 0 });
      const atFirst = await fitsOf(judges);
      const { page, problems } = await visit();
      await page.screenshot({ path: `${ARTEFACTS}demo-first.png` });
      const before = await names(page, 'For you');

      // Liking is a toggle: a sixth film is liked and taken back.
      await page.getByRole('button', { name: 'Science Fiction', exact: true }).click();
      const shelf = films(page, 'Science Fiction');
      for (const at of [1, 3, 5, 7, 9, 11]) await shelf.nth(at).click();
      await shelf.nth(11).click();
      await expect.poll(() => shelf.nth(11).getAttribute('aria-pressed')).toBe('false');
      await expect.poll(() => films(page, 'Liked').count()).toBe(5);
      const likes = await names(page, 'Liked');
      await expect.poll(() => names(page, 'For you'), { timeout: 10_000 }).not.toEqual(before);

      // Nothing leaves before consent; then this browser's part is in rounds.
      expect(await page.getByRole('definition').allTextContents()).toEqual(['5', '0', 'nothing']);
      const people = demo.people;
      expect(demo.coordination.status('films')!.connected).toBeLessThanOrEqual(people);
      const consent = page.getByRole('switch', { name: 'Take part' });
      await consent.click();
      await expect.poll(() => consent.getAttribute('aria-checked')).toBe('true');
      const status = page.locator('.status');
      await expect
        .poll(() => status.textContent(), { timeout: 40_000 })
        .toMatch(/^Round \d+: \d+ devices, yours among them\.$/);

      // What left, in words; Escape gives the focus back.
      const receipts = page.getByRole('button', { name: 'What left my device' });
      await receipts.click();
      const newest = page.getByRole('dialog').getByRole('listitem').first();
      await expect
        .poll(() => newest.textContent())
        .toMatch(/added to a sum over \d+ people\. \d+ kB left it, all masked/);
      await page.screenshot({ path: `${ARTEFACTS}demo-receipts.png` });
      expect(await barriers(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
      expect(await receipts.evaluate((button) => button === document.activeElement)).toBe(true);

      // Suggestions become this person's, and say why.
      await rounds(demo, ROUNDS);
      const better = /^(\d+) of 12 are of genres you like.* When you began it was (\d+)\.$/;
      const gain = async (): Promise<number> => {
        const [, after, first] = better.exec((await page.locator('.for-you p').textContent()) ?? '') ?? [];
        return Number(after) - Number(first);
      };
      await expect.poll(gain, { timeout: 60_000 }).toBeGreaterThanOrEqual(2);
      await expect.poll(() => page.locator('.why').count(), { timeout: 20_000 }).toBeGreaterThan(0);
      expect(likes.map((title) => `because you liked ${title}`)).toContain(
        await page.locator('.why').first().textContent(),
      );
      await page.screenshot({ path: `${ARTEFACTS}demo.png`, fullPage: true });

      // Without consent no further part of it is in any round.
      await consent.click();
      await expect.poll(() => consent.getAttribute('aria-checked')).toBe('false');
      const updates = async (): Promise<string | undefined> =>
        (await page.getByRole('definition').allTextContents())[1];
      await expect.poll(() => demo.coordination.status('films')!.connected).toBeLessThanOrEqual(people);
      const sent = await updates();
      expect(Number(sent)).toBeGreaterThan(0);
      await rounds(demo, 2);
      expect(await updates()).toBe(sent);

      // Six people of one taste each, who take no part: they profit from what the others learned.
      const now = await fitsOf(judges);
      expect(mean(now), `${atFirst.join(' ')} at first, ${now.join(' ')} now`).toBeGreaterThan(
        mean(atFirst) + 2,
      );

      // A reload keeps what was liked; forgetting keeps nothing.
      await page.reload();
      await expect.poll(() => names(page, 'Liked')).toEqual(likes);
      await page.getByRole('button', { name: 'Forget me' }).click();
      await page.getByRole('button', { name: 'Forget everything' }).click();
      await page
        .getByText('Everything that was kept in this browser is gone.')
        .waitFor({ state: 'attached' });
      // What a later visit finds, once it has opened what is kept.
      await page.reload();
      await films(page, 'For you').first().waitFor();
      expect(await films(page, 'Liked').count()).toBe(0);
      expect(await page.getByRole('definition').allTextContents()).toEqual(['0', '0', 'nothing']);
      expect(await consent.getAttribute('aria-checked')).toBe('false');
      expect(problems).toEqual([]);
      await page.context().close();
    },
  );

  it(
    'is without barriers, and nothing sticks out, in light and dark and on a phone',
    { timeout: 60_000 },
    async () => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page, problems } = await visit({ colorScheme });
        await films(page, 'Drama').nth(2).click();
        for (const [width, name] of [
          [1_280, 'desktop'],
          [360, 'phone'],
        ] as const) {
          await page.setViewportSize({ width, height: 800 });
          const wide = await page.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          );
          expect(wide, `${name}, ${colorScheme}`).toBeLessThanOrEqual(0);
          expect(await barriers(page), `${name}, ${colorScheme}`).toEqual([]);
          await page.screenshot({
            path: `${ARTEFACTS}demo-${name}-${colorScheme}.png`,
            fullPage: name === 'phone',
          });
        }
        expect(problems).toEqual([]);
        await page.context().close();
      }
    },
  );

  it('can be used with the keyboard alone', { timeout: 60_000 }, async () => {
    const { page } = await visit();
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        return element.getAttribute('aria-label') ?? element.id + (element.textContent ?? '');
      });
    const press = (key: string): Promise<void> => page.keyboard.press(key);

    // The first stop leads past the shelf. Whatever has the focus shows it.
    await press('Tab');
    expect(await focused()).toBe('Skip to rounds and your device');
    expect(await outlined(page)).toBe(true);
    await press('Enter');
    await press('Tab');
    expect(await outlined(page)).toBe(true);
    await press('Space');
    const consent = page.getByRole('switch', { name: 'Take part' });
    await expect.poll(() => consent.getAttribute('aria-checked')).toBe('true');
    await press('Space');
    await expect.poll(() => consent.getAttribute('aria-checked')).toBe('false');

    // Arrows walk a row, and the place keeps the focus when the list changes under it.
    const row = films(page, 'For you');
    await row.first().focus();
    await press('ArrowRight');
    expect(await row.nth(1).evaluate((button) => button === document.activeElement)).toBe(true);
    expect(await outlined(page)).toBe(true);
    const liked = (await focused()).replace('Like ', '');
    await press('Space');
    await expect.poll(() => names(page, 'Liked')).toContain(liked);
    await expect.poll(() => names(page, 'For you')).not.toContain(liked);
    expect(await row.nth(1).evaluate((button) => button === document.activeElement)).toBe(true);

    await page.getByRole('button', { name: 'Forget me' }).focus();
    await press('Enter');
    await expect.poll(() => page.getByRole('dialog', { name: 'Forget me' }).count()).toBe(1);
    await press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    expect(await focused()).toBe('Forget me');
    await page.context().close();
  });
});

describe('a demo that is started again', () => {
  it('is another coordinator: likes move to it, consent does not', { timeout: 60_000 }, async (ctx) => {
    if (chromiumPath === undefined) return ctx.skip(NO_CHROMIUM);
    const browser = await launchChromium();
    const small = { port: await twoFreePorts(), people: 16, cohort: 16 };
    let demo = await openDemo(small);
    try {
      const page = await browser.newPage();
      await page.goto(demo.url);
      await films(page, 'Drama').nth(2).click();
      const consent = page.getByRole('switch', { name: 'Take part' });
      await consent.click();
      await expect.poll(() => consent.getAttribute('aria-checked')).toBe('true');
      await expect.poll(() => films(page, 'Liked').count()).toBe(1);
      const likes = await names(page, 'Liked');
      await demo.close();
      await page.getByText('No connection to the coordinator.').waitFor();
      demo = await openDemo(small);
      await page.reload();
      await expect.poll(() => names(page, 'Liked'), { timeout: 20_000 }).toEqual(likes);
      expect(await consent.getAttribute('aria-checked')).toBe('false');
      await consent.click();
      await expect.poll(() => demo.coordination.status('films')?.connected, { timeout: 20_000 }).toBe(17);
    } finally {
      await browser.close();
      await demo.close();
    }
  });
});

/** Whether one sees where the focus is. */
const outlined = (page: Page): Promise<boolean> =>
  page.evaluate(() => {
    const element = document.activeElement as HTMLElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return element.matches(':focus-visible') && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
  });

/** The first of two neighbouring ports that nobody has. */
async function twoFreePorts(): Promise<number> {
  for (;;) {
    const servers = [createServer(), createServer()] as const;
    const listening = (server: Server, port: number): Promise<boolean> =>
      new Promise((resolve) => {
        server.once('error', () => resolve(false));
        server.listen(port, '127.0.0.1', () => resolve(true));
      });
    await listening(servers[0], 0);
    const { port } = servers[0].address() as AddressInfo;
    const both = await listening(servers[1], port + 1);
    for (const server of servers) server.close();
    if (both) return port;
  }
}

/** Somebody of one taste who takes no part. */
interface Judge {
  readonly client: Client;
  /** Whether a film is of that taste. */
  fits(item: string): boolean;
}

async function openJudges({ coordinatorUrl, films: all }: Demo, engine: SharedEngine): Promise<Judge[]> {
  const genres = [...new Set(all.map(genreOf))];
  return Promise.all(
    genres.map(async (genre) => {
      const own = new Set(all.filter((film) => genreOf(film) === genre).map(({ id }) => id));
      const client = await createClient({
        ...{ coordinator: coordinatorUrl, task: 'films', engine },
        store: memoryClientStore(),
        heldOut: { item: 'none', candidates: [] },
      });
      await client.record(
        [...own]
          .slice(1, 11)
          .filter((_, at) => at % 2 === 0)
          .map((item) => ({ item, kind: 'like' })),
      );
      return { client, fits: (item) => own.has(item) };
    }),
  );
}

const genreOf = ({ genres }: Film): string => genres[0] as string;

/** For each of them, how many of twelve suggestions are of their taste. */
const fitsOf = (judges: readonly Judge[]): Promise<number[]> =>
  Promise.all(
    judges.map(async ({ client, fits }) => {
      await client.refresh();
      return (await client.recommend({ k: 12, popularityWeight: 0.5 })).filter(({ item }) => fits(item))
        .length;
    }),
  );

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The like buttons of a row. */
const films = (page: Page, row: string) =>
  page.getByRole('list', { name: row, exact: true }).getByRole('button');

/** Titles in a row. */
const names = (page: Page, row: string): Promise<string[]> =>
  page.getByRole('list', { name: row, exact: true }).locator('.name').allTextContents();

/** Waits until so many rounds more are committed, or in all where that is more. */
async function rounds({ coordination }: Demo, more: number): Promise<void> {
  const done = (): number => coordination.status('films')?.round ?? 0;
  const wanted = more === ROUNDS ? Math.max(ROUNDS, done() + 1) : done() + more;
  await expect.poll(done, { timeout: 90_000 }).toBeGreaterThanOrEqual(wanted);
}
