import { chromium, type Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { chromiumPath, heardIn, inPage, openInPage, openPage, openSite, warningsIn } from './chromium.ts';
import { asked, LIKES } from './fixture-options.ts';
import { meanwhile, untilHeard, useStage } from './fixture.ts';

/** What befalls a page in the middle of a round, and what keeps it from beginning one. */

/** A page whose browser tells of a battery; `battery.change` changes what it tells. */
const WITH_BATTERY = `globalThis.battery = Object.assign(new EventTarget(), {
  charging: false,
  level: 0.1,
  change(to) { Object.assign(battery, to); battery.dispatchEvent(new Event('chargingchange')); },
});
Object.defineProperty(Navigator.prototype, 'getBattery', { value: async () => battery });`;

/** A worker of a browser whose person asked to save data. */
const SAVING_DATA = `
Object.defineProperty(WorkerNavigator.prototype, 'connection', { value: { saveData: true } });
import('/sdk/worker.js');`;

/** A service worker that takes part until it has a receipt. */
const SERVICE_WORKER = `import { openRecommender } from '/sdk/in-place.js';
addEventListener('message', (event) => event.waitUntil((async () => {
  const { likes, ...options } = event.data;
  const tutti = await openRecommender(options);
  const receipt = new Promise((resolve) => tutti.on('receipt', resolve));
  await tutti.record(likes.map((item) => ({ item })));
  await tutti.consent.grant();
  await receipt;
  const { list } = await tutti.receipts();
  await tutti.close();
  event.source.postMessage({ rounds: list.length });
})().catch((error) => event.source.postMessage({ problem: String(error) }))));`;

/** More than a round writes. */
const MANY = Array.from({ length: 20_000 }, (_, item) => `${'x'.repeat(50)}-${item}`);

/** Receipts that a page heard of. */
const receipts = async (page: Page): Promise<number> => (await heardIn(page, 'receipt')).length;

/** Waits until a page has one receipt more. */
const oneMore = async (page: Page): Promise<void> =>
  untilHeard(page, 'receipt', undefined, (await receipts(page)) + 1);

describe('interrupted', () => {
  const stage = useStage((files) =>
    openSite(files, {}, { '/saving-data.js': SAVING_DATA, '/taking-part.js': SERVICE_WORKER }),
  );

  it('by storage that fills up in mid-round: it declines by name, recommends on, and takes part when there is room', async () => {
    const page = await openPage(stage.context, stage.site.url);
    const devtools = await stage.context.newCDPSession(page);
    const room = (quotaSize?: number) =>
      devtools.send('Storage.overrideQuotaForOrigin', {
        origin: stage.site.url,
        ...(quotaSize === undefined ? {} : { quotaSize }),
      });
    await room(900_000);
    await openInPage(page, asked(stage.federation.url));
    await inPage(page, (tutti, items) => tutti.record(items.map((item) => ({ item }))), LIKES);
    await inPage(page, (tutti) => tutti.consent.grant());
    await meanwhile(stage.federation, await stage.nodes(3), async () => {
      await oneMore(page);
      const begun = (await heardIn(page, 'phase')).filter(({ phase }) => phase === 'roster').length;
      await untilHeard(page, 'phase', 'roster', begun + 1);
      await room(1);
      // Chromium looks again how much room there is where more is asked for than there was.
      await expect(
        inPage(page, (tutti, items) => tutti.record(items.map((item) => ({ item }))), MANY),
      ).rejects.toThrow('is full');
      await untilHeard(page, 'declined');
      expect((await heardIn(page, 'declined')).map(({ reason }) => reason)).toContain('environment-failed');
      expect(await inPage(page, (tutti) => tutti.recommend({ k: 5 }))).toHaveLength(5);
      await room();
      await oneMore(page);
    });
    expect(await warningsIn(page)).not.toContain('not-taking-part');
  });

  it('by its person going elsewhere and back in mid-round: it goes on as the same device', async () => {
    const page = await stage.person();
    await meanwhile(stage.federation, await stage.nodes(3), async () => {
      await untilHeard(page, 'phase', 'roster');
      const before = await inPage(page, (tutti) => tutti.privacy());
      await page.goto(`${stage.site.url}/elsewhere`);
      await page.waitForTimeout(500);
      await page.goBack();
      // A browser may have kept the page asleep, or load it anew.
      await page.waitForFunction('globalThis.loaded === true');
      if (await page.evaluate('globalThis.tutti === undefined'))
        await openInPage(page, asked(stage.federation.url));
      await oneMore(page);
      const after = await inPage(page, (tutti) => tutti.privacy());
      expect(after.participations).toBeGreaterThan(before.participations);
    });
    expect(await inPage(page, (tutti) => tutti.history())).toHaveLength(LIKES.length);
  });

  it('by a machine that sleeps: its round ends without it, and it takes part again when it wakes', async () => {
    const server = await chromium.launchServer({ executablePath: chromiumPath!, args: ['--no-sandbox'] });
    const signal = (name: NodeJS.Signals) => process.kill(-server.process().pid!, name);
    try {
      const page = await openPage(
        await (await chromium.connect(server.wsEndpoint())).newContext(),
        stage.site.url,
      );
      await openInPage(page, asked(stage.federation.url));
      await inPage(page, (tutti, items) => tutti.record(items.map((item) => ({ item }))), LIKES);
      await inPage(page, (tutti) => tutti.consent.grant());
      await meanwhile(stage.federation, await stage.nodes(3), async () => {
        await untilHeard(page, 'phase', 'roster');
        signal('SIGSTOP');
        // Longer than every phase of these rounds.
        await new Promise((resolve) => setTimeout(resolve, 3_000));
        signal('SIGCONT');
        await oneMore(page);
      });
      expect(await warningsIn(page)).toEqual([]);
    } finally {
      signal('SIGCONT');
      await server.close();
    }
  });

  it('by a battery that is low: it waits until it charges', async () => {
    await stage.context.addInitScript(WITH_BATTERY);
    const page = await stage.person();
    await meanwhile(stage.federation, await stage.nodes(3), async () => {
      await page.waitForTimeout(700);
      expect(await heardIn(page, 'connected')).toEqual([]);
      await inPage(page, (tutti) => tutti.stop());
      await page.evaluate('battery.change({ charging: true })');
      await inPage(page, (tutti) => tutti.participate());
      await oneMore(page);
    });
  });

  it('by a person who saves data: it takes no part, unless the app says otherwise', async () => {
    const page = await openPage(stage.context, stage.site.url);
    const opened = (saveData: boolean) =>
      page.evaluate(`(async () => {
        Object.assign(globalThis, { heard: [] });
        globalThis.tutti = await sdk.openRecommender({
          ...${JSON.stringify({ ...asked(stage.federation.url), eligibility: { idleMs: 0, saveData } })},
          worker: () => new Worker('/saving-data.js', { type: 'module' }),
        });
        for (const type of ['connected', 'receipt']) tutti.on(type, (event) => heard.push(event));
        await tutti.record({ item: 'film-1' });
        await tutti.consent.grant();
      })()`);
    await meanwhile(stage.federation, await stage.nodes(3), async () => {
      await opened(false);
      await page.waitForTimeout(700);
      expect(await heardIn(page, 'connected')).toEqual([]);
      await inPage(page, (tutti) => tutti.close());
      await opened(true);
      await oneMore(page);
    });
  });

  it('by no page at all: a service worker takes part in rounds', async () => {
    const page = await openPage(stage.context, stage.site.url);
    const answer = meanwhile(stage.federation, await stage.nodes(3), () =>
      page.evaluate(
        async (options) => {
          await navigator.serviceWorker.register('/taking-part.js', { type: 'module' });
          const { active } = await navigator.serviceWorker.ready;
          return new Promise((resolve) => {
            navigator.serviceWorker.onmessage = ({ data }) => resolve(data);
            active?.postMessage(options);
          });
        },
        { ...asked(stage.federation.url), likes: LIKES },
      ),
    );
    expect(await answer).toEqual({ rounds: 1 });
  });
});
