import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { FILMS } from '../wire/federation.ts';
import { heardIn, inPage, openPage, openSite, warningsIn } from './chromium.ts';
import { LIKES } from './fixture-options.ts';
import { committedIn, meanwhile, moreRounds, untilHeard, useStage } from './fixture.ts';
import { maskedVectors } from './same-words.ts';

/** A worker whose clock is a year and a half ahead. */
const SKEWED = `const now = Date.now; Date.now = () => now() + 550 * 86_400_000; import('/sdk/worker.js');`;

const SAME = fileURLToPath(new URL('./same-words-page.ts', import.meta.url));

describe('rounds in real pages', () => {
  const stage = useStage((files) => openSite(files, {}, { '/skewed.js': SKEWED }), { same: SAME });

  it('pages and Node clients make one cohort, and each recommends for its own person', async () => {
    const { federation, person, nodes } = stage;
    const page = await person();
    await meanwhile(federation, await nodes(3), () => untilHeard(page, 'receipt', undefined, 2));
    expect(federation.coordinator.coordination.rounds('films').some(({ reported }) => reported === 4)).toBe(
      true,
    );
    expect(await warningsIn(page)).toEqual([]);
    const list = await inPage(page, (tutti) => tutti.recommend({ k: 5 }));
    expect(list).toHaveLength(5);
    expect(list.some(({ item }) => LIKES.includes(item))).toBe(false);
    const { list: receipts, total } = await inPage(page, (tutti) => tutti.receipts());
    expect(receipts.at(-1)?.text).toMatch(/added to a sum over \d people\. \d kB left it, all masked/);
    expect(total.updates).toBeGreaterThanOrEqual(2);
    expect((await inPage(page, (tutti) => tutti.privacy())).participations).toBe(total.updates);
  });

  it('a browser and Node send the same words when they draw the same', async () => {
    const page = await openPage(stage.context, stage.site.url);
    const there = await page.evaluate<readonly string[]>(
      "import('/sdk/same.js').then((m) => m.maskedVectors(m.portableCrypto))",
    );
    expect(there).toHaveLength(5);
    expect(there[0]).toBe('1 committed, trained by simd');
    expect(there).toEqual(await maskedVectors(nodeCrypto));
  });

  it('a tab that is killed in any phase costs the others no more than a round, and takes part again', async () => {
    const { federation, person, nodes } = stage;
    let page = await person();
    await meanwhile(federation, await nodes(3), async () => {
      for (const phase of ['describe', 'roster', 'relay-shares', 'survivors']) {
        await untilHeard(page, 'phase', phase);
        await page.close();
        await moreRounds(federation, 1);
        page = await person({ likes: [], consent: false });
      }
      await untilHeard(page, 'receipt');
      expect(await inPage(page, (tutti) => tutti.history())).toHaveLength(LIKES.length);
    });
  });

  it('a page that is reloaded in mid-round goes on as the same device', async () => {
    const { federation, person, nodes } = stage;
    const page = await person();
    await meanwhile(federation, await nodes(3), async () => {
      await untilHeard(page, 'receipt');
      const before = await inPage(page, (tutti) => tutti.receipts());
      await untilHeard(page, 'phase', 'roster');
      await page.close();
      const again = await person({ likes: [], consent: false });
      await untilHeard(again, 'receipt');
      const after = await inPage(again, (tutti) => tutti.receipts());
      expect(after.total.updates).toBeGreaterThan(before.total.updates);
      expect(after.list.at(-1)).toEqual(before.list.at(-1));
    });
  });

  it('of two tabs one takes part; when it closes, the other does, with the same ledger', async () => {
    const { federation, person, nodes } = stage;
    const first = await person();
    await meanwhile(federation, await nodes(3), async () => {
      await untilHeard(first, 'receipt');
      const second = await person({ likes: ['film-99'] });
      await untilHeard(first, 'receipt', undefined, 3);
      expect(await heardIn(second, 'connected')).toEqual([]);
      // What the second tab recorded is known in the first, which trains on it.
      expect(await inPage(first, (tutti) => tutti.history())).toHaveLength(LIKES.length + 1);
      await first.close();
      await untilHeard(second, 'receipt');
      const { participations } = await inPage(second, (tutti) => tutti.privacy());
      const { total } = await inPage(second, (tutti) => tutti.receipts());
      expect(participations).toBeGreaterThanOrEqual(4);
      expect(total.updates).toBeGreaterThanOrEqual(participations);
    });
  });

  it('consent that is withdrawn in mid-round, in another tab, ends it at once, and granting it again goes on', async () => {
    const { federation, person, nodes } = stage;
    const first = await person();
    const second = await person({ likes: [], consent: false });
    await meanwhile(federation, await nodes(3), async () => {
      await untilHeard(first, 'receipt');
      await untilHeard(first, 'phase', 'roster', 2);
      await inPage(second, (tutti) => tutti.consent.withdraw());
      await untilHeard(first, 'consent', undefined, 2);
      const { total } = await inPage(first, (tutti) => tutti.receipts());
      const rounds = await committedIn(first);
      await moreRounds(federation, 2);
      expect((await inPage(first, (tutti) => tutti.receipts())).total.updates).toBe(total.updates);
      expect(await committedIn(first)).toBeLessThanOrEqual(rounds + 1);
      await inPage(second, (tutti) => tutti.consent.grant());
      await untilHeard(first, 'receipt', undefined, total.updates + 1);
    });
  });

  it('before consent nothing connects', async () => {
    const { federation, person, nodes } = stage;
    const page = await person({ consent: false });
    await meanwhile(federation, await nodes(3), () => moreRounds(federation, 2));
    expect(await heardIn(page, 'connected')).toEqual([]);
    expect(await inPage(page, (tutti) => tutti.consent.state())).toBe('not-asked');
    expect(await inPage(page, (tutti) => tutti.receipts())).toEqual({
      total: { updates: 0, bytes: 0 },
      list: [],
    });
  });

  it('offline it recommends, and comes back by itself', async () => {
    const { federation, context, person, nodes } = stage;
    const page = await person();
    await meanwhile(federation, await nodes(3), async () => {
      await untilHeard(page, 'receipt');
      const known = await inPage(page, (tutti) => tutti.recommend({ k: 3 }));
      expect(known).toHaveLength(3);
      await context.setOffline(true);
      federation.coordinator.coordination.status('films');
      expect(await inPage(page, (tutti) => tutti.recommend({ k: 3 }))).toHaveLength(3);
      await inPage(page, (tutti) => tutti.record({ item: 'film-7' }));
      await context.setOffline(false);
      const rounds = await committedIn(page);
      await untilHeard(page, 'receipt', undefined, rounds + 2);
    });
  });

  it('a clock that is far off changes nothing', async () => {
    const { federation, context, site, nodes } = stage;
    const page = await openPage(context, site.url);
    await page.evaluate(`(async () => {
      globalThis.heard = [];
      globalThis.tutti = await sdk.openRecommender({
        coordinator: '${federation.url}', task: 'films', answerEveryMs: 20, eligibility: { idleMs: 0 },
        policy: { smallestCohort: 2, insecureSmallCohort: true },
        worker: () => new Worker('/skewed.js', { type: 'module' }),
      });
      tutti.on('receipt', (event) => heard.push(event));
      await tutti.record({ item: 'film-1' });
      await tutti.consent.grant();
    })()`);
    await meanwhile(federation, await nodes(3), () => untilHeard(page, 'receipt'));
    const { list } = await inPage(page, (tutti) => tutti.receipts());
    expect(list[0]!.at).toBeGreaterThan(Date.now() + 500 * 86_400_000);
    expect(FILMS).toContain((await inPage(page, (tutti) => tutti.recommend({ k: 1 })))[0]?.item);
  });
});
