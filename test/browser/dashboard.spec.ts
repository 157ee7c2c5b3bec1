import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { dashboardFiles } from '@tutti/dashboard';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, createToken, type CoordinatorConfigInput } from '@tutti/server';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from '../wire/federation.ts';
import { barriers } from './axe.ts';
import { chromiumPath, launchChromium, NO_CHROMIUM } from './chromium.ts';

/** The dashboard of a real coordinator, in Chromium, while real clients take part. */

/** Pictures for people to look at; never committed. */
const ARTEFACTS = fileURLToPath(new URL('../../test-artefacts/', import.meta.url));

describe('the dashboard', () => {
  let browser: Browser | undefined;
  let federation: WireFederation;
  const storage = { store: memoryStore(), blobs: memoryBlobs(nodeCrypto) };
  const folder = mkdtempSync(join(tmpdir(), 'tutti-dashboard-'));
  const tokens = join(folder, 'tokens.json');
  const withTokens = (config: CoordinatorConfigInput): CoordinatorConfigInput => ({ ...config, tokens });
  const config = wireConfig({
    rounds: 4,
    privacy: { mechanism: 'skellam', noiseMultiplier: 4, delta: 1e-5, epsilon: 20 },
  });

  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    mkdirSync(ARTEFACTS, { recursive: true });
    browser = await launchChromium();
    federation = await openWireFederation(config, { engine: 'ts' }, storage, await dashboardFiles());
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await federation?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach((ctx) => {
    if (browser === undefined) ctx.skip(NO_CHROMIUM);
  });

  const open = async (
    look: { colorScheme?: 'light' | 'dark'; width?: number } = {},
    url = federation.url,
  ): Promise<Page> => {
    const { colorScheme = 'light', width = 1_280 } = look;
    const context = await (browser as Browser).newContext({ colorScheme, viewport: { width, height: 900 } });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => void (message.type() === 'error' && problems.push(message.text())));
    await page.goto(url);
    await page.getByRole('heading', { name: 'Task films' }).waitFor();
    expect(problems).toEqual([]);
    return page;
  };

  it(
    'shows rounds as they come, with what they cost, and says so when the coordinator is gone',
    { timeout: 60_000 },
    async () => {
      const page = await open();
      const status = page.getByRole('status');
      await expect.poll(() => status.textContent()).toBe('live');
      const rows = page.locator('.wide tbody tr');
      expect(await rows.count()).toBe(0);
      const clients = await Promise.all(
        Array.from({ length: 6 }, (_, i) => federation.client(`person-${i}`, FILMS.slice(8 * i, 8 * i + 12))),
      );
      await federation.run(clients, rounds(2));
      await expect.poll(() => rows.count()).toBeGreaterThanOrEqual(2);
      const [newest] = federation.coordinator.coordination.rounds('films').slice(-1);
      const cells = await rows.first().locator('td').allTextContents();
      expect(cells[0]).toBe(String(newest?.round));
      expect(cells[3]).toBe(String(newest?.reported));
      expect(cells.at(-1)).toBe(newest?.modelHash.slice(0, 10));
      const spent = federation.coordinator.coordination.status('films')?.epsilon?.coordinator ?? 0;
      expect(Number(await page.getByRole('meter').getAttribute('value'))).toBeCloseTo(spent, 9);
      expect(await page.getByRole('img', { name: /^quality, round \d/ }).count()).toBe(1);
      expect(await page.locator('canvas').count()).toBe(4);
      await page.screenshot({ path: `${ARTEFACTS}dashboard.png`, fullPage: true });

      // Who opens it later sees the same rounds.
      const later = await open({ colorScheme: 'dark', width: 390 });
      await expect.poll(() => later.locator('.wide tbody tr').count()).toBe(await rows.count());
      await later.screenshot({ path: `${ARTEFACTS}dashboard-phone-dark.png`, fullPage: true });
      const wide = await later.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(wide, 'nothing sticks out of a phone').toBeLessThanOrEqual(0);
      for (const each of [page, later]) expect(await barriers(each)).toEqual([]);

      await federation.coordinator.close();
      await expect.poll(() => status.textContent(), { timeout: 10_000 }).toBe('no connection, trying again');
      const { port } = new URL(federation.url);
      const again = await createCoordinator({
        config: { ...config, listen: { port: Number(port) } },
        ...storage,
        pages: await dashboardFiles(),
      });
      await again.listen();
      try {
        await expect.poll(() => status.textContent(), { timeout: 20_000 }).toBe('live');
        expect(await rows.count()).toBeGreaterThanOrEqual(2);
      } finally {
        await again.close();
      }
    },
  );

  it(
    'lets who pastes a token pause, resume and stop, once they say that they mean it',
    { timeout: 60_000 },
    async () => {
      const operator = createToken(tokens, { name: 'ada', role: 'operate' });
      const reader = createToken(tokens, { name: 'board', role: 'read' });
      await using coordinator = await createCoordinator({
        config: withTokens(wireConfig()),
        ...{ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) },
        pages: await dashboardFiles(),
      });
      const url = await coordinator.listen();
      const page = await open({}, url);
      const run = () => coordinator.coordination.status('films')?.run;
      const paste = async (token: string): Promise<void> => {
        const field = page.getByLabel('Token');
        if (!(await field.isVisible())) await page.getByText('Operate', { exact: true }).click();
        await field.fill(token);
        await page.getByRole('button', { name: 'Use it in this tab' }).click();
      };
      const button = (name: string) => page.getByRole('button', { name, exact: true });
      await paste('tutti_guess');
      await page.getByRole('alert').getByText('does not know this token').waitFor();
      expect(await page.evaluate(() => sessionStorage.length + localStorage.length)).toBe(0);
      await paste(reader);
      await page.getByText('board, who may read').waitFor();
      expect(await button('Pause').count()).toBe(0);
      await button('Forget the token').click();
      await paste(operator);
      await button('Pause').click();
      await page.getByRole('dialog', { name: 'Pause: task films?' }).waitFor();
      expect(await barriers(page)).toEqual([]);
      await page.screenshot({ path: `${ARTEFACTS}dashboard-confirm.png` });
      await button('No').click();
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(run()).toBe('running');
      await button('Pause').click();
      await button('Yes, pause').click();
      await page.getByText('paused: no round begins until it is resumed').waitFor();
      expect(run()).toBe('paused');
      expect(await barriers(page)).toEqual([]);

      // The tab keeps the token over a reload; another tab has none.
      await page.reload();
      await button('Resume').click();
      await page.getByRole('dialog', { name: 'Resume: task films?' }).waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      const other = await open({ width: 390 }, url);
      expect(await other.getByRole('button', { name: 'Resume' }).count()).toBe(0);
      await button('Resume').click();
      await button('Yes, resume').click();
      await expect.poll(run).toBe('running');
      await button('Stop for good').click();
      await button('Yes, stop for good').click();
      await other.getByText('stopped for good: no round is made any more').waitFor();
      await expect.poll(() => button('Pause').count()).toBe(0);
      for (const each of [page, other]) expect(await barriers(each)).toEqual([]);
      await page.context().close();
      await other.context().close();
    },
  );

  it('is served with a policy that lets nothing else in', async () => {
    const files = await dashboardFiles();
    expect(files.get('/')?.headers['content-security-policy']).toContain("default-src 'none'");
    expect(files.get('/')?.headers['content-security-policy']).toContain("script-src 'self'");
    expect(files.get('/dashboard.js')?.body.length).toBeGreaterThan(10_000);
  });
});
