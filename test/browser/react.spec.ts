import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { barriers } from './axe.ts';
import { openPage } from './chromium.ts';
import { asked } from './fixture-options.ts';
import { meanwhile, useStage } from './fixture.ts';

describe('a React app', () => {
  const stage = useStage(undefined, { shelf: fileURLToPath(new URL('./shelf.ts', import.meta.url)) });

  it('recommends, takes part once its person agrees, shows what left, and closes what it opened', async () => {
    const { context, federation, nodes, site } = stage;
    const page = await openPage(context, site.url);
    const options = JSON.stringify(asked(federation.url));
    await page.evaluate(`import('/sdk/shelf.js').then(({ draw }) => draw(${options}))`);
    const films = page.locator('button.film');
    await expect.poll(() => films.count()).toBe(3);
    const first = (await films.first().textContent())!;
    await films.first().click();
    await expect.poll(() => films.allTextContents()).not.toContain(first);
    const panel = page.getByRole('region', { name: 'What left this device' });
    const status = panel.getByRole('status');
    await expect.poll(() => status.textContent()).toBe('Nothing that you did here has left this device.');
    await page.locator('#join').click();
    await meanwhile(federation, await nodes(3), async () => {
      const receipt = panel.getByRole('listitem').first();
      await expect.poll(() => receipt.textContent(), { timeout: 10_000 }).toMatch(/all masked/);
    });
    expect(await status.textContent()).toMatch(/^This device took part/);
    await expect.poll(() => page.locator('main main').getAttribute('data-consent')).toBe('granted');

    // Nothing stands in anybody's way, light or dark.
    await page.addStyleTag({ content: ':root { color-scheme: light dark }' });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await barriers(page, 'tutti-receipts'), colorScheme).toEqual([]);
    }

    // The lock is given back when the component goes: nothing takes part behind its back.
    const held = () => page.evaluate(async () => (await navigator.locks.query()).held?.length);
    expect(await held()).toBe(1);
    await page.locator('#toggle').click();
    await expect.poll(held).toBe(0);
    await page.locator('#toggle').click();
    await expect.poll(() => films.count()).toBe(3);

    // What was forgotten is nowhere on the page any more.
    await page.locator('#forget').click();
    await expect.poll(() => films.count()).toBe(0);
    expect(await page.locator('main main').getAttribute('data-updates')).toBeNull();
    expect(await status.textContent()).toBe('');
  });

  it('may give the panel its recommender before the element is defined', async () => {
    const page = await openPage(stage.context, stage.site.url);
    const text = await page.evaluate(`(async () => {
      const panel = document.createElement('tutti-receipts');
      document.body.append(panel);
      const text = 'On Monday your device added to a sum.';
      panel.recommender = { receipts: async () => ({ total: { updates: 1, bytes: 9 }, list: [{ text }] }), on: () => () => {} };
      (await import('/sdk/shelf.js')).defineReceiptsElement();
      await new Promise((resolve) => setTimeout(resolve, 50));
      return panel.shadowRoot.querySelector('section').textContent;
    })()`);
    expect(text).toContain('This device took part once.');
    expect(text).toContain('On Monday your device added to a sum.');
  });
});
