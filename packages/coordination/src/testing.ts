import { seededRandom } from '@tutti/base';
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { expect, it } from 'vitest';
import { JOURNAL_VERSION, type JournalEntry } from './journal.ts';
import { memoryPlace } from './memory.ts';
import { JournalConflictError } from './ports.ts';
import {
  StorageLockedError,
  StorageNotEmptyError,
  type Storage,
  type StorageItem,
  type StoragePlace,
} from './storage.ts';
import { writeAndKill } from './testing-kill.ts';

/** What every storage must do; run by each adapter's tests. */

/** An empty place of an adapter, made for one case. */
export interface ContractPlace {
  readonly place: StoragePlace;
  /** Source that declares the same `place` in a process that is killed; none where it would be lost with the process. */
  readonly module?: string;
  destroy(): Promise<void>;
}

/** What an adapter's tests need to run the contract: skips a case by throwing, as `ctx.skip` does. */
export type MakePlace = (skip: (reason?: string) => never) => Promise<ContractPlace>;

const created = (atMs: number): JournalEntry => ({
  v: JOURNAL_VERSION,
  type: 'task-created',
  atMs,
  layoutHash: 'a'.repeat(64),
  catalogueHash: 'b'.repeat(64),
  modelHash: 'c'.repeat(64),
});

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const timesOf = (entries: readonly JournalEntry[]): number[] =>
  entries.map((entry) => (entry.type === 'task-created' ? entry.atMs : Number.NaN));

async function* streamOf(items: readonly StorageItem[], failure?: Error): AsyncIterable<StorageItem> {
  yield* items;
  if (failure !== undefined) throw failure;
}

async function everything(place: StoragePlace): Promise<StorageItem[]> {
  const snapshot = await place.snapshot();
  const found: StorageItem[] = [];
  for await (const item of snapshot.items()) found.push(item);
  await snapshot.close();
  expect(snapshot.count).toBe(found.length);
  return found;
}

/** The items, with a checksum for their bytes: a comparison of megabytes takes minutes. */
const outlines = (items: readonly StorageItem[]): unknown[] =>
  items.map((item) => {
    if (item.kind === 'entry') return item;
    const { length } = item.bytes;
    return { ...item, bytes: length, sum: item.bytes.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 0) };
  });

/** Writes some of everything that a storage can hold. */
async function writeSomething(place: StoragePlace): Promise<{ hash: string; bytes: number }> {
  const { store, blobs, close } = await place.open();
  await store.appendJournal('books', 0, [created(1)]);
  await store.appendJournal('films', 0, numbers(0, 700).map(created));
  await store.put('coordinator-key', Uint8Array.of(1, 2, 3));
  const bytes = 2 ** 22 + 5;
  const hash = await blobs.put(new Uint8Array(bytes).map((_, i) => i * 7));
  await close();
  return { hash, bytes };
}

/** Registers the contract's tests (vitest). */
export function storageContract(make: MakePlace): void {
  const contract = (
    name: string,
    work: (place: StoragePlace, again: (storage: Storage) => Promise<Storage>) => Promise<void>,
  ): void =>
    it(name, async (ctx) => {
      const { place, destroy } = await make((reason) => ctx.skip(reason));
      const again = async (storage: Storage): Promise<Storage> => {
        await storage.close();
        return place.open();
      };
      try {
        await work(place, again);
      } finally {
        await destroy();
      }
    });

  contract('keeps a journal a task, in order, over a restart', async (place, again) => {
    let storage = await place.open();
    expect(await storage.store.readJournal('films')).toEqual([]);
    await storage.store.appendJournal('films', 0, [created(1), created(2)]);
    await storage.store.appendJournal('films', 2, [created(3)]);
    await storage.store.appendJournal('films-2', 0, [created(9)]);
    await storage.store.appendJournal('films', 3, []);
    storage = await again(storage);
    expect(timesOf(await storage.store.readJournal('films'))).toEqual([1, 2, 3]);
    expect(await storage.store.readJournal('films-2')).toEqual([created(9)]);
    expect(await storage.store.readJournal('film')).toEqual([]);
    await storage.close();
  });

  contract('gives entries back to the last bit', async (place, again) => {
    const times = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 2 ** 53 - 1, -1 / 3, 1e21];
    let storage = await place.open();
    await storage.store.appendJournal('films', 0, times.map(created));
    storage = await again(storage);
    expect(await storage.store.readJournal('films')).toEqual(times.map(created));
    await storage.close();
  });

  contract('refuses to append behind a journal of another length, and changes nothing', async (place) => {
    const { store, close } = await place.open();
    await store.appendJournal('films', 0, [created(1)]);
    await expect(store.appendJournal('films', 0, [created(2)])).rejects.toThrow(JournalConflictError);
    await expect(store.appendJournal('films', 2, [created(2)])).rejects.toThrow(
      'holds 1 entries; 2 were expected',
    );
    expect(await store.readJournal('films')).toEqual([created(1)]);
    const both = await Promise.allSettled(
      numbers(2, 8).map((atMs) => store.appendJournal('films', 1, [created(atMs), created(atMs)])),
    );
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of both)
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(JournalConflictError);
    expect(await store.readJournal('films')).toHaveLength(3);
    await close();
  });

  contract('appends many entries in one piece, and many journals beside each other', async (place) => {
    const { store, close } = await place.open();
    const tasks = numbers(0, 12).map((number) => `task-${number}`);
    await Promise.all(tasks.map((task) => store.appendJournal(task, 0, numbers(0, 300).map(created))));
    await Promise.all(tasks.map((task) => store.appendJournal(task, 300, [created(300)])));
    for (const task of tasks) expect(timesOf(await store.readJournal(task))).toEqual(numbers(0, 301));
    await close();
  });

  contract('keeps values and blobs apart from who wrote them', async (place, again) => {
    let storage = await place.open();
    const bytes = Uint8Array.of(1, 2, 3);
    await storage.store.put('key', bytes);
    const hash = await storage.blobs.put(bytes);
    bytes[0] = 9;
    storage = await again(storage);
    expect(await storage.store.get('key')).toEqual(Uint8Array.of(1, 2, 3));
    expect(await storage.store.get('other')).toBeUndefined();
    await storage.store.put('key', Uint8Array.of(4));
    expect(await storage.store.get('key')).toEqual(Uint8Array.of(4));
    expect(await storage.blobs.get(hash)).toEqual(Uint8Array.of(1, 2, 3));
    expect(await storage.blobs.put(Uint8Array.of(1, 2, 3))).toBe(hash);
    await storage.blobs.delete(hash);
    await storage.blobs.delete(hash);
    expect(await storage.blobs.get(hash)).toBeUndefined();
    expect(await storage.blobs.put(Uint8Array.of(1, 2, 3))).toBe(hash);
    expect(await storage.blobs.get(hash)).toEqual(Uint8Array.of(1, 2, 3));
    await storage.close();
  });

  contract(
    'takes blobs of nothing and of many megabytes, also of one kind many times at once',
    async (place, again) => {
      let storage = await place.open();
      const large = new Uint8Array(2 ** 23 + 7).map((_, i) => (i * 31) >> 5);
      const hashes = await Promise.all([large, new Uint8Array(0), large, large].map(storage.blobs.put));
      expect(new Set(hashes).size).toBe(2);
      await storage.store.put('empty', new Uint8Array(0));
      storage = await again(storage);
      const found = await Promise.all(hashes.map((hash) => storage.blobs.get(hash)));
      expect(found.map((bytes) => bytes?.length)).toEqual([large.length, 0, large.length, large.length]);
      expect(Buffer.compare(found[0] ?? large.subarray(1), large)).toBe(0);
      expect(await storage.store.get('empty')).toEqual(new Uint8Array(0));
      await storage.close();
    },
  );

  contract('belongs to one at a time, and can be closed twice', async (place) => {
    const first = await place.open();
    await expect(place.open()).rejects.toThrow(StorageLockedError);
    await expect(place.fill(streamOf([]))).rejects.toThrow(StorageLockedError);
    await first.store.put('key', Uint8Array.of(1));
    await first.close();
    await first.close();
    await (await place.open()).close();
  });

  contract('is read as it is at one instant, while it is written to', async (place) => {
    const { store, blobs, close } = await place.open();
    await store.appendJournal('films', 0, [created(1)]);
    const hash = await blobs.put(Uint8Array.of(1));
    const snapshot = await place.snapshot();
    await store.appendJournal('films', 1, [created(2)]);
    await store.put('key', Uint8Array.of(1));
    await blobs.delete(hash);
    const found: StorageItem[] = [];
    for await (const item of snapshot.items()) found.push(item);
    await snapshot.close();
    expect(found).toEqual([
      { kind: 'entry', task: 'films', position: 0, entry: created(1) },
      { kind: 'blob', hash, bytes: Uint8Array.of(1) },
    ]);
    expect(await everything(place)).toHaveLength(3);
    await close();
  });

  contract('is filled whole or not at all, and only where it is empty', async (place) => {
    const source = memoryPlace(portableCrypto);
    const { hash, bytes } = await writeSomething(source);
    const items = await everything(source);
    const failure = new Error('the backup was changed');
    await expect(place.fill(streamOf(items, failure))).rejects.toThrow(failure.message);
    await place.fill(streamOf(items));
    expect(outlines(await everything(place))).toEqual(outlines(items));
    await expect(place.fill(streamOf(items))).rejects.toThrow(StorageNotEmptyError);
    await expect(place.fill(streamOf([]))).rejects.toThrow('nothing is overwritten');
    const { store, blobs, close } = await place.open();
    expect(timesOf(await store.readJournal('films'))).toEqual(numbers(0, 700));
    expect((await blobs.get(hash))?.length).toBe(bytes);
    await store.appendJournal('films', 700, [created(700)]);
    await close();
  });

  it('keeps every acknowledged entry of a process that is killed while it writes, three times over', async (ctx) => {
    const { place, module, destroy } = await make((reason) => ctx.skip(reason));
    try {
      if (module === undefined) return;
      const random = seededRandom('kills');
      let acknowledged = 0;
      for (let kill = 0; kill < 3; kill++) {
        acknowledged = Math.max(acknowledged, await writeAndKill(module, 5 + random.int(40)));
        const storage = await place.open();
        const times = timesOf(await storage.store.readJournal('films'));
        expect(times.length).toBeGreaterThanOrEqual(acknowledged);
        expect(times).toEqual(numbers(0, times.length));
        await storage.close();
      }
      expect(acknowledged).toBeGreaterThan(10);
    } finally {
      await destroy();
    }
  }, 60_000);
}
