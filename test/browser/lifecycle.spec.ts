import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext } from 'playwright';
import { describe, expect, it } from 'vitest';
import { chromiumPath, heardIn, inPage, openInPage, openPage, openSite } from './chromium.ts';
import { asked, LIKES } from './fixture-options.ts';
import { meanwhile, untilHeard, useStage } from './fixture.ts';
import { FILMS, openWireFederation, wireConfig } from '../wire/federation.ts';

/** What becomes of a page over time: asleep, in use, opened again and again, copied from its disk. */

/** Headers of a page that may measure its memory, and of its worker's file. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** Something that stands in no file unless it was recorded. */
const SECRET = 'seen-by-nobody-else';

/** Bytes that a page and its worker hold after garbage collection: the least of several instants of their rounds. */
const measured = `(async () => {
  const held = [];
  for (let i = 0; i < 6; i++) {
    held.push((await performance.measureUserAgentSpecificMemory()).bytes);
    await new Promise((resolve) => setTimeout(resolve, 53));
  }
  return Math.min(...held);
})()`;

/** Rounds between two measures of memory. */
const ROUNDS = 15;

/** All that lies in a folder of the browser's, as one text. */
const everythingIn = (folder: string): Buffer =>
  Buffer.concat(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name))),
  );

describe('a page over time', () => {
  const stage = useStage(
    (files) => openSite(files, { '/isolated': ISOLATED, '/sdk/worker.js': ISOLATED }),
    {},
    ['--enable-blink-features=ForceEagerMeasureMemory'],
  );

  it('that the system freezes in mid-round goes on when it wakes', async () => {
    const page = await stage.person();
    const devtools = await stage.context.newCDPSession(page);
    await meanwhile(stage.federation, await stage.nodes(3), async () => {
      await untilHeard(page, 'phase', 'roster');
      await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await devtools.send('Page.setWebLifecycleState', { state: 'active' });
      const { length } = await heardIn(page, 'receipt');
      await untilHeard(page, 'receipt', undefined, length + 1);
    });
  });

  it('that somebody uses is left alone until they pause', async () => {
    const page = await stage.person({ eligibility: { idleMs: 1_000 }, consent: false });
    const use = () => page.mouse.wheel(0, 10);
    await meanwhile(stage.federation, await stage.nodes(3), async () => {
      await use();
      await inPage(page, (tutti) => tutti.consent.grant());
      for (let i = 0; i < 8; i++) {
        await use();
        await page.waitForTimeout(200);
      }
      expect(await heardIn(page, 'connected')).toEqual([]);
      await untilHeard(page, 'receipt');
    });
  });

  it('that opens and closes its recommender leaves no worker, lock or listener behind', async () => {
    const page = await openPage(stage.context, stage.site.url);
    const devtools = await stage.context.newCDPSession(page);
    await devtools.send('Performance.enable');
    const listeners = async (): Promise<number> => {
      await devtools.send('HeapProfiler.collectGarbage');
      const { metrics } = await devtools.send('Performance.getMetrics');
      return metrics.find(({ name }) => name === 'JSEventListeners')?.value ?? NaN;
    };
    const openAndClose = async (): Promise<void> => {
      await openInPage(page, asked(stage.federation.url));
      await inPage(page, (tutti) => tutti.consent.state());
      await inPage(page, (tutti) => tutti.close());
    };
    await openAndClose();
    const before = await listeners();
    for (let i = 0; i < 5; i++) await openAndClose();
    await expect.poll(() => page.workers().length).toBe(0);
    // A worker's ports end a little after it does: the first's may have been among those before. What leaked would be there five times.
    await expect.poll(listeners, { timeout: 5_000 }).toBeLessThanOrEqual(before);
    expect(await page.evaluate(async () => (await navigator.locks.query()).held)).toEqual([]);
  });

  it('holds no more memory after more rounds, its worker included', { timeout: 90_000 }, async () => {
    // A table of 384 kB, which comes anew with each round, and a masked vector as long: one that is kept shows.
    const ids = Array.from({ length: 3_000 }, (_, item) => `film-${item}`);
    const deadlines = { trainMs: 5_000, shareKeysMs: 2_000, maskedInputMs: 2_000, unmaskMs: 2_000 };
    const federation = await openWireFederation(
      wireConfig({
        catalogue: { ids },
        model: { family: 'mf', dimension: 32 },
        rounds: 1_000,
        round: { cohort: 3, smallestCohort: 3, overselection: 1, selectionMs: 50, deadlines },
      }),
      { engine: 'auto' },
    );
    const page = await stage.person({ path: '/isolated', coordinator: federation.url });
    const nodes = await Promise.all(
      [0, 1].map((i) => federation.client(`node-${i}`, FILMS.slice(9 * i, 9 * i + 9))),
    );
    try {
      await meanwhile(federation, nodes, async () => {
        await untilHeard(page, 'receipt', undefined, 2, 20_000);
        const before = await page.evaluate<number>(measured);
        const { length } = await heardIn(page, 'receipt');
        await untilHeard(page, 'receipt', undefined, length + ROUNDS, 40_000);
        const after = await page.evaluate<number>(measured);
        expect(before).toBeGreaterThan(1_000_000);
        expect((after - before) / ROUNDS, 'bytes a round').toBeLessThan(200_000);
      });
    } finally {
      await federation.close();
    }
  });

  it('keeps nothing on disk that a search of the profile folder finds', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tutti-profile-'));
    let context: BrowserContext | undefined;
    try {
      context = await chromium.launchPersistentContext(folder, {
        executablePath: chromiumPath!,
        args: ['--no-sandbox'],
      });
      const page = await openPage(context, stage.site.url);
      await openInPage(page, asked(stage.federation.url));
      for (const item of LIKES)
        await inPage(page, (tutti, { item, kind }) => tutti.record({ item, kind }), { item, kind: SECRET });
      await inPage(page, (tutti) => tutti.recommend());
      // That the search would find it: the same, stored as it is.
      await page.evaluate((text) => localStorage.setItem('plain', text), `plain-${SECRET}-at-${LIKES[0]}`);
      await context.close();
      context = undefined;
      const disk = everythingIn(folder);
      const times = (text: string, encoding: BufferEncoding): number =>
        disk.toString('latin1').split(Buffer.from(text, encoding).toString('latin1')).length - 1;
      const found = (text: string): number => times(text, 'latin1') + times(text, 'utf16le');
      expect(found(`plain-${SECRET}`)).toBeGreaterThan(0);
      expect(found(SECRET)).toBe(found(`plain-${SECRET}`));
      for (const item of LIKES) expect(found(`"${item}"`), item).toBe(0);
    } finally {
      await context?.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
