import { LeaseLostError, StorageLockedError, type SharedStorage } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresStorage, openSharedPostgresStorage } from './index.ts';
import { startTestServer, type TestServer } from './testing.ts';

const QUICK = { lockWaitMs: 200, unavailableMs: 5_000 };

let started: TestServer | string = 'needs postgresql: it was not started';
beforeAll(async () => void (started = await startTestServer()));
afterAll(async () => {
  if (typeof started !== 'string') await started.destroy();
});

function server(skip: (reason?: string) => never): TestServer {
  return typeof started === 'string' ? skip(started) : started;
}

const created = (atMs: number) =>
  ({
    ...({ v: 1, type: 'task-created', atMs } as const),
    ...{ layoutHash: 'a'.repeat(64), catalogueHash: 'b'.repeat(64), modelHash: 'c'.repeat(64) },
  }) as const;

const open = (url: string): Promise<SharedStorage> => openSharedPostgresStorage(url, nodeCrypto, QUICK);

async function viewOf(storage: SharedStorage, task: string) {
  return (await storage.look()).find((view) => view.task === task);
}

describe('a storage that processes share', () => {
  it('is written by the holder of a lease alone, until another one takes it', async (ctx) => {
    const url = await server((reason) => ctx.skip(reason)).newDatabase();
    const [one, two] = [await open(url), await open(url)];
    const first = await one.take('films', undefined);
    if (first === undefined) throw new Error('nobody has it');
    expect(await two.take('films', undefined)).toBeUndefined();
    await first.store.appendJournal('films', 0, [created(1)]);
    const hash = await first.blobs.put(Uint8Array.of(1, 2, 3));
    expect(await two.blobs.get(hash)).toEqual(Uint8Array.of(1, 2, 3));

    const before = await viewOf(two, 'films');
    expect(await first.renew()).toBe(true);
    // It has moved since: its holder lives.
    expect(await two.take('films', before)).toBeUndefined();
    const second = await two.take('films', await viewOf(two, 'films'));
    expect(second?.epoch).toBe(first.epoch + 1);

    expect(await first.renew()).toBe(false);
    for (const late of [
      () => first.store.appendJournal('films', 1, [created(2)]),
      () => first.store.put('key', Uint8Array.of(1)),
      () => first.blobs.put(Uint8Array.of(4)),
      () => first.blobs.delete(hash),
    ])
      await expect(late()).rejects.toThrow(LeaseLostError);
    await second?.store.appendJournal('films', 1, [created(3)]);
    expect(await one.store.readJournal('films')).toEqual([created(1), created(3)]);
    expect(await one.blobs.get(hash)).toBeDefined();
    await Promise.all([one.close(), two.close()]);
  });

  it('lets nobody write with a number that was lost and is given again, and gives a greater one where one is known', async (ctx) => {
    const url = await server((reason) => ctx.skip(reason)).newDatabase();
    const [one, two] = [await open(url), await open(url)];
    const first = await one.take('films', undefined);
    // As on a standby that lacks the last commit: the lease stands as it did before it was taken.
    await server((reason) => ctx.skip(reason)).query(
      url,
      `delete from tutti.leases where scope = 'task:films'`,
    );
    const again = await two.take('films', undefined);
    expect(again?.epoch).toBe(first?.epoch);
    await again?.store.appendJournal('films', 0, [created(1)]);
    expect(await first?.renew()).toBe(false);
    await expect(first?.store.put('key', Uint8Array.of(1))).rejects.toThrow(LeaseLostError);
    await first?.release();
    expect(await again?.renew()).toBe(true);
    const third = await one.take('films', await viewOf(one, 'films'), 7);
    expect(third?.epoch).toBe(8);
    expect(await again?.renew()).toBe(false);
    await Promise.all([one.close(), two.close()]);
  });

  it('gives a lease on at once that was let go of, and to one of many', async (ctx) => {
    const url = await server((reason) => ctx.skip(reason)).newDatabase();
    const all = [await open(url), await open(url), await open(url)] as const;
    const taken = await Promise.all(all.map((storage) => storage.take('films', undefined)));
    const [first, ...more] = taken.filter((lease) => lease !== undefined);
    expect(more).toEqual([]);
    await first?.release();
    expect(await first?.renew()).toBe(false);
    await expect(first?.store.put('key', Uint8Array.of(1))).rejects.toThrow(LeaseLostError);
    const free = await viewOf(all[0], 'films');
    expect(free?.isFree).toBe(true);
    const again = await Promise.all(all.map((storage) => storage.take('films', free)));
    expect(again.filter((lease) => lease !== undefined)).toHaveLength(1);
    // Another task has a lease of its own.
    expect(await all[1].take('books', undefined)).toBeDefined();
    await Promise.all(all.map((storage) => storage.close()));
  });

  it('agrees on a value, and is in use for who wants it alone, as the other way round', async (ctx) => {
    const url = await server((reason) => ctx.skip(reason)).newDatabase();
    const all = [await open(url), await open(url)] as const;
    const values = await Promise.all(all.map((one, i) => one.shared('secret', () => Uint8Array.of(i, 7))));
    expect(values[0]).toEqual(values[1]);
    await expect(openPostgresStorage(url, nodeCrypto, QUICK)).rejects.toThrow(StorageLockedError);
    await Promise.all(all.map((storage) => storage.close()));
    const alone = await openPostgresStorage(url, nodeCrypto, QUICK);
    expect(await alone.store.get('secret')).toEqual(values[0]);
    await expect(open(url)).rejects.toThrow(StorageLockedError);
    await alone.close();
    const later = await open(url);
    expect(await later.shared('secret', () => Uint8Array.of(9))).toEqual(values[0]);
    await later.close();
  });
});
