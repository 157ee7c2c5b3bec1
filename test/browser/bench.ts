import { availableParallelism, cpus } from 'node:os';
import { inPage, launchChromium, bundleSdk, openInPage, openPage, openSite } from './chromium.ts';
import { asked, LIKES } from './fixture-options.ts';
import { FILMS, openWireFederation, wireConfig } from '../wire/federation.ts';

/**
 * What a page feels of the SDK: `node --import @tutti/base/source test/browser/bench.ts [rounds]`. Times are medians of 15; the
 * model is the recommended one for 3,706 items. Long tasks are those of the page while rounds run in its worker; memory is that of
 * the page and its worker together, and of the page's scripts alone where the recommender is in the page, after garbage collection.
 */

const REPEATS = 15;
const ROUNDS = Number(process.argv[2] ?? 60);
const ITEMS = Array.from({ length: 3_706 }, (_, item) => `film-${item}`);

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

const federation = await openWireFederation(
  wireConfig({
    catalogue: { ids: ITEMS },
    model: { family: 'mlp' },
    rounds: 10_000,
    round: {
      ...{ cohort: 4, smallestCohort: 3, overselection: 1, selectionMs: 50 },
      deadlines: { trainMs: 3_000, shareKeysMs: 2_000, maskedInputMs: 2_000, unmaskMs: 2_000 },
    },
  }),
  { engine: 'auto' },
);
const browser = await launchChromium(['--enable-blink-features=ForceEagerMeasureMemory']);
/** Of a page that may measure its memory, and of its worker's file. */
const isolated = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};
const site = await openSite(await bundleSdk(), { '/isolated': isolated, '/sdk/worker.js': isolated });
const nodes = await Promise.all(
  Array.from({ length: 3 }, (_, i) => federation.client(`node-${i}`, FILMS.slice(3 * i, 3 * i + 9))),
);

/** Opens the page again and again on what it kept. */
async function startTimes() {
  const context = await browser.newContext();
  const first = await openPage(context, site.url);
  await openInPage(first, asked(federation.url));
  await inPage(first, (tutti, likes) => tutti.record(likes.map((item) => ({ item }))), LIKES);
  await inPage(first, (tutti) => tutti.recommend());
  const times: { opened: number; listed: number }[] = [];
  for (let i = 0; i < REPEATS; i++) {
    const page = await openPage(context, site.url);
    times.push(
      await page.evaluate(`(async () => {
        const start = performance.now();
        const tutti = await sdk.openRecommender(${JSON.stringify(asked(federation.url))});
        const opened = performance.now() - start;
        await tutti.recommend({ k: 10 });
        const listed = performance.now() - start;
        await tutti.close();
        return { opened, listed };
      })()`),
    );
    await page.close();
  }
  await context.close();
  return {
    openedMs: median(times.map(({ opened }) => opened)),
    firstListMs: median(times.map(({ listed }) => listed)),
  };
}

/** Takes part for some rounds, with the page's own thread watched. */
async function whileTraining(script: string, rounds: number) {
  const context = await browser.newContext();
  const page = await openPage(context, `${site.url}/isolated`);
  const devtools = await context.newCDPSession(page);
  await devtools.send('Performance.enable');
  await page.evaluate(`(async () => {
    globalThis.long = [];
    new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: 'longtask' });
    const { openRecommender } = await import('${script}');
    globalThis.tutti = await openRecommender(${JSON.stringify(asked(federation.url))});
    globalThis.rounds = 0;
    tutti.on('receipt', () => rounds++);
    await tutti.record(${JSON.stringify(LIKES)}.map((item) => ({ item })));
    await tutti.consent.grant();
  })()`);
  const used = async (): Promise<{ heap: number; listeners: number; all: number }> => {
    await devtools.send('HeapProfiler.collectGarbage');
    const { metrics } = await devtools.send('Performance.getMetrics');
    const of = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? 0;
    const all = await page.evaluate<number>(
      'performance.measureUserAgentSpecificMemory().then(({ bytes }) => bytes)',
    );
    return { heap: of('JSHeapUsedSize'), listeners: of('JSEventListeners'), all };
  };
  const stop = new AbortController();
  const running = nodes.map((node) => node.participate({ signal: stop.signal }));
  const until = (count: number) =>
    page.waitForFunction(`rounds >= ${count}`, undefined, { timeout: 10_000 + 4_000 * count });
  const start = Date.now();
  const uses: Awaited<ReturnType<typeof used>>[] = [];
  const marks = [5, 0.25, 0.5, 0.75, 1].map((mark) => (mark < 5 ? Math.round(mark * rounds) : 5));
  for (const mark of marks) {
    await until(mark);
    uses.push(await used());
  }
  stop.abort();
  await Promise.all(running);
  const long = await page.evaluate<number[]>('long');
  await context.close();
  return {
    rounds,
    seconds: (Date.now() - start) / 1_000,
    longTasks: long.length,
    longestMs: Math.max(0, ...long),
    afterRounds: marks,
    heapKb: uses.map(({ heap }) => Math.round(heap / 1_000)),
    withWorkerKb: uses.map(({ all }) => Math.round(all / 1_000)),
    listeners: uses.map(({ listeners }) => listeners),
  };
}

console.log(
  JSON.stringify(
    {
      cpu: cpus()[0]?.model,
      cores: availableParallelism(),
      chromium: browser.version(),
      warmStart: await startTimes(),
      inWorker: await whileTraining('/sdk/index.js', ROUNDS),
      inPage: await whileTraining('/sdk/in-place.js', Math.min(60, ROUNDS)),
    },
    null,
    2,
  ),
);
await browser.close();
await site.close();
await federation.close();
