import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { heardIn, inPage, openInPage, openPage, openSite, warningsIn } from './chromium.ts';
import { asked, LIKES } from './fixture-options.ts';
import { meanwhile, untilHeard, useStage } from './fixture.ts';

/** A worker to which the browser gives no storage. */
const NO_STORAGE = `Object.defineProperty(globalThis, 'indexedDB', { value: undefined }); import('/sdk/worker.js');`;

/** A service worker that recommends, and says what it was warned of. */
const SERVICE_WORKER = `import { openRecommender } from '/sdk/in-place.js';
addEventListener('message', (event) => event.waitUntil((async () => {
  const warnings = [];
  const tutti = await openRecommender({ ...event.data, onWarning: ({ code }) => warnings.push(code) });
  await tutti.record({ item: 'film-3' });
  const list = await tutti.recommend({ k: 4 });
  await tutti.close();
  event.source.postMessage({ warnings, items: list.map(({ item }) => item) });
})().catch((error) => event.source.postMessage({ problem: String(error) }))));`;

const policy = (text: string) => ({ 'content-security-policy': text });
const SELF = "default-src 'self'; connect-src *";

/** What is left of a recommender in this profile. */
const traces = (page: Page) =>
  page.evaluate(async () => ({
    databases: (await indexedDB.databases()).map(({ name }) => name),
    locks: (await navigator.locks.query()).held?.length,
    caches: await caches.keys(),
    stored: localStorage.length + sessionStorage.length,
  }));

/** Changes one byte of each value of the database whose name `which` finds. */
const damage = (page: Page, which: string) =>
  page.evaluate(async (wanted) => {
    const [{ name } = {}] = await indexedDB.databases();
    const opened = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(new Error('the database does not answer'));
      });
    const database = await opened(indexedDB.open(name!));
    const store = database.transaction('values', 'readwrite').objectStore('values');
    for (const key of (await opened(store.getAllKeys())) as string[]) {
      if (!new RegExp(wanted).test(key)) continue;
      const value = (await opened(store.get(key))) as Uint8Array;
      value[value.length - 1]! ^= 1;
      await opened(store.put(value, key));
    }
    database.close();
  }, which);

describe('where something is missing or broken', () => {
  const stage = useStage((files) =>
    openSite(
      files,
      {
        '/no-worker': policy(`${SELF}; script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'`),
        '/strict': policy(`${SELF}; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'`),
        '/no-wasm/sdk/worker.js': policy(`${SELF}; script-src 'self'`),
        '/no-wasm/sdk/worker-without-wasm.js': policy(`${SELF}; script-src 'self'`),
        '/no-wasm-no-worker': policy(`${SELF}; script-src 'self'; worker-src 'none'`),
      },
      {
        '/no-storage.js': NO_STORAGE,
        '/service-worker.js': SERVICE_WORKER,
      },
    ),
  );

  /** Opens a recommender with a worker of the site's own, or of the SDK that lies elsewhere. */
  const openWith = async (worker: string | undefined, from = 'sdk'): Promise<Page> => {
    const page = await openPage(stage.context, stage.site.url);
    const own = worker === undefined ? '' : `worker: () => new Worker('${worker}', { type: 'module' }),`;
    await page.evaluate(
      `(async () => {
        Object.assign(globalThis, { warnings: [], heard: [] });
        globalThis.sdk = await import('/${from}/index.js');
        globalThis.tutti = await sdk.openRecommender({
          ...${JSON.stringify(asked(stage.federation.url))},
          onWarning: (warning) => warnings.push(warning),
          ${own}
        });
        for (const type of ['connected', 'receipt']) tutti.on(type, (event) => heard.push(event));
        await tutti.record({ item: 'film-1' });
        await tutti.consent.grant();
      })()`,
    );
    return page;
  };
  const recommends = async (page: Page): Promise<void> =>
    expect(await inPage(page, (tutti) => tutti.recommend({ k: 5 }))).toHaveLength(5);

  it('plain http: it recommends, keeps nothing, takes no part, and says so once', async () => {
    const page = await openPage(stage.context, stage.site.insecureUrl);
    await openInPage(page, asked(stage.federation.url));
    await inPage(page, (tutti) => tutti.record({ item: 'film-1' }));
    await inPage(page, (tutti) => tutti.consent.grant());
    await recommends(page);
    await meanwhile(stage.federation, await stage.nodes(3), () => page.waitForTimeout(1_000));
    expect(await warningsIn(page)).toEqual(['insecure-context']);
    expect(await heardIn(page, 'connected')).toEqual([]);
    expect(await page.evaluate(async () => (await indexedDB.databases()).length)).toBe(0);
  });

  it('storage that is refused: the same', async () => {
    const page = await openWith('/no-storage.js');
    await recommends(page);
    await page.waitForTimeout(300);
    expect(await warningsIn(page)).toEqual(['storage-refused']);
    expect(await heardIn(page, 'connected')).toEqual([]);
  });

  it('a policy without eval is enough, and takes part without a warning', async () => {
    const page = await stage.person({ path: '/strict' });
    const refused: string[] = [];
    page.on('console', (message) => void (message.type() === 'error' && refused.push(message.text())));
    await meanwhile(stage.federation, await stage.nodes(3), () => untilHeard(page, 'receipt'));
    expect([await warningsIn(page), refused]).toEqual([[], []]);
  });

  it('a worker that is refused: it trains in the page, and takes part', async () => {
    const page = await stage.person({ path: '/no-worker' });
    await recommends(page);
    await meanwhile(stage.federation, await stage.nodes(3), () => untilHeard(page, 'receipt'));
    expect(await warningsIn(page)).toEqual(['worker-blocked']);
  });

  it('a worker that is refused, and no file for the page beside the SDK: it says which', async () => {
    const page = await openPage(stage.context, `${stage.site.url}/no-worker`);
    await page.route('**/in-page.js', (route) => route.abort());
    await expect(openInPage(page, asked(stage.federation.url))).rejects.toThrow(
      /\/sdk\/in-page\.js loads: both belong beside the SDK/,
    );
  });

  it('WebAssembly that is forbidden: another worker trains in TypeScript, and takes part', async () => {
    const page = await openWith(undefined, 'no-wasm/sdk');
    await recommends(page);
    await meanwhile(stage.federation, await stage.nodes(3), () => untilHeard(page, 'receipt'));
    expect(await warningsIn(page)).toEqual(['wasm-blocked']);
    expect(page.workers().map((worker) => new URL(worker.url()).pathname)).toEqual([
      '/no-wasm/sdk/worker-without-wasm.js',
    ]);
  });

  it('neither a worker nor WebAssembly: it says what to allow, or which entry needs neither', async () => {
    const page = await openPage(stage.context, `${stage.site.url}/no-wasm-no-worker`);
    await expect(openInPage(page, asked(stage.federation.url))).rejects.toThrow(
      /no worker and run no WebAssembly.*client-browser\/in-place/,
    );
    await page.evaluate(`import('/sdk/in-place.js').then((m) => { globalThis.sdk = m; })`);
    await openInPage(page, asked(stage.federation.url));
    await recommends(page);
    expect(await warningsIn(page)).toEqual(['wasm-blocked']);
  });

  it('a service worker recommends in place', async () => {
    const page = await openPage(stage.context, stage.site.url);
    const answer = await page.evaluate(async (options) => {
      await navigator.serviceWorker.register('/service-worker.js', { type: 'module' });
      const { active } = await navigator.serviceWorker.ready;
      return new Promise((resolve) => {
        navigator.serviceWorker.onmessage = ({ data }) => resolve(data);
        active?.postMessage(options);
      });
    }, asked(stage.federation.url));
    expect(answer).toMatchObject({ warnings: [], items: { length: 4 } });
  });

  it('values that are damaged are dropped with one warning; interactions and recommendations stay', async () => {
    const page = await stage.person({ consent: false });
    await recommends(page);
    await inPage(page, (tutti) => tutti.close());
    await damage(page, '^(task|catalogue|checkpoint|identity)$');
    await openInPage(page, asked(stage.federation.url));
    await recommends(page);
    expect(await inPage(page, (tutti) => tutti.history())).toHaveLength(LIKES.length);
    expect(await warningsIn(page)).toEqual(['storage-damaged']);
  });

  it('a ledger that is damaged: it takes no part until it is forgotten', async () => {
    const page = await stage.person();
    await meanwhile(stage.federation, await stage.nodes(3), async () => {
      await untilHeard(page, 'receipt');
      await inPage(page, (tutti) => tutti.close());
      await damage(page, '^privacy-ledger$');
      await openInPage(page, asked(stage.federation.url));
      await page.waitForTimeout(1_000);
      expect([await warningsIn(page), await heardIn(page, 'connected')]).toEqual([['ledger-damaged'], []]);
      await recommends(page);
      await inPage(page, (tutti) => tutti.forget());
      await openInPage(page, asked(stage.federation.url));
      await inPage(page, (tutti) => tutti.consent.grant());
      await untilHeard(page, 'receipt');
    });
  });

  it('storage that is full refuses a record, says what to do, and goes on recommending', async () => {
    const page = await openPage(stage.context, stage.site.url);
    const devtools = await stage.context.newCDPSession(page);
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: stage.site.url, quotaSize: 500_000 });
    await openInPage(page, asked(stage.federation.url));
    await inPage(page, (tutti) => tutti.record({ item: 'film-1' }));
    await recommends(page);
    const long = Array.from({ length: 20_000 }, (_, i) => ({ item: `film-${i}`, kind: 'x'.repeat(50) }));
    const problem = await page.evaluate(
      (list) =>
        (globalThis as unknown as { tutti: { record(list: unknown): Promise<void> } }).tutti
          .record(list)
          .then(
            () => 'kept',
            (error: Error & { code: string }) => `${error.name} ${error.code}: ${error.message}`,
          ),
      long,
    );
    expect(problem).toMatch(/^StorageFullError client-browser\/storage-full: the storage .* is full/);
    await recommends(page);
    expect(await inPage(page, (tutti) => tutti.history())).toHaveLength(1);
  });

  it('forget() leaves nothing behind, in any tab', async () => {
    const first = await stage.person();
    const second = await stage.person({ likes: [], consent: false });
    await meanwhile(stage.federation, await stage.nodes(3), () => untilHeard(first, 'receipt'));
    expect((await traces(first)).databases).toHaveLength(1);
    await inPage(second, (tutti) => tutti.forget());
    const nothing = { databases: [], locks: 0, caches: [], stored: 0 };
    await expect.poll(() => traces(first), { timeout: 3_000 }).toEqual(nothing);
    await expect.poll(() => inPage(first, async (tutti) => tutti.closed.aborted)).toBe(true);
    await expect(inPage(first, (tutti) => tutti.recommend())).rejects.toThrow(
      'this recommender is forgotten, in another tab; open another one',
    );
    await expect(inPage(second, (tutti) => tutti.history())).rejects.toThrow(
      'this recommender is forgotten; open another one',
    );
    await expect.poll(() => first.workers()).toEqual([]);
    expect(await warningsIn(first)).toEqual([]);
    expect(await traces(second)).toEqual(nothing);
  });

  it('what an app gets wrong is told as in Node; what it waits for can be ended', async () => {
    const page = await openPage(stage.context, stage.site.url);
    const told = (options: object) =>
      openInPage(page, { ...asked(stage.federation.url), ...options }).then(
        () => 'opened',
        (error: Error) => error.message,
      );
    expect(await told({ coordinator: 'ftp://x' })).toContain('an address such as https://fl.example.org');
    expect(await told({ policy: { smallestCohort: 3 } })).toContain('insecureSmallCohort');
    await openInPage(page, asked('http://127.0.0.1:9'));
    await expect(inPage(page, (tutti) => tutti.recommend({ k: 0 }))).rejects.toThrow('1 to 10000');
    await inPage(page, (tutti) => tutti.record({ item: 'film-1' }));
    await expect(inPage(page, (tutti) => tutti.recommend())).rejects.toThrow('does not answer');
    await expect(
      inPage(page, (tutti) => tutti.recommend({ signal: AbortSignal.abort(new Error('never mind')) })),
    ).rejects.toThrow('never mind');
  });
});
