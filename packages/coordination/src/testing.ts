import { expect, it } from 'vitest';
import { JOURNAL_VERSION, type JournalEntry } from './journal.ts';
import { JournalConflictError, type Blobs, type Store } from './ports.ts';

/** What every store and blob store must do; run by each adapter's tests. */

/** An opened adapter; `reopen` closes and opens it anew on the same data. */
export interface OpenedStorage {
  readonly store: Store;
  readonly blobs: Blobs;
  reopen(): Promise<{ store: Store; blobs: Blobs }>;
  destroy(): Promise<void>;
}

const created = (atMs: number): JournalEntry => ({
  v: JOURNAL_VERSION,
  type: 'task-created',
  atMs,
  layoutHash: 'a'.repeat(64),
  catalogueHash: 'b'.repeat(64),
  modelHash: 'c'.repeat(64),
});

/** Registers the contract's tests (vitest). */
export function storeContract(open: () => Promise<OpenedStorage>): void {
  const withStorage = async (work: (storage: OpenedStorage) => Promise<void>): Promise<void> => {
    const storage = await open();
    try {
      await work(storage);
    } finally {
      await storage.destroy();
    }
  };

  it('keeps a journal a task, in order, over a restart', () =>
    withStorage(async ({ store, reopen }) => {
      expect(await store.readJournal('films')).toEqual([]);
      await store.appendJournal('films', 0, [created(1), created(2)]);
      await store.appendJournal('films', 2, [created(3)]);
      await store.appendJournal('books', 0, [created(9)]);
      const again = await reopen();
      expect(await again.store.readJournal('films')).toEqual([created(1), created(2), created(3)]);
      expect(await again.store.readJournal('books')).toEqual([created(9)]);
    }));

  it('refuses to append behind a journal of another length, and changes nothing', () =>
    withStorage(async ({ store }) => {
      await store.appendJournal('films', 0, [created(1)]);
      await expect(store.appendJournal('films', 0, [created(2)])).rejects.toThrow(JournalConflictError);
      await expect(store.appendJournal('films', 2, [created(2)])).rejects.toThrow(
        'holds 1 entries; 2 were expected',
      );
      expect(await store.readJournal('films')).toEqual([created(1)]);
      const both = await Promise.allSettled([
        store.appendJournal('films', 1, [created(3)]),
        store.appendJournal('films', 1, [created(4)]),
      ]);
      expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await store.readJournal('films')).toHaveLength(2);
    }));

  it('keeps values and blobs apart from who wrote them', () =>
    withStorage(async ({ store, blobs, reopen }) => {
      const bytes = Uint8Array.of(1, 2, 3);
      await store.put('key', bytes);
      const hash = await blobs.put(bytes);
      bytes[0] = 9;
      const again = await reopen();
      expect(await again.store.get('key')).toEqual(Uint8Array.of(1, 2, 3));
      expect(await again.store.get('other')).toBeUndefined();
      expect(await again.blobs.get(hash)).toEqual(Uint8Array.of(1, 2, 3));
      expect(await again.blobs.put(Uint8Array.of(1, 2, 3))).toBe(hash);
      await again.blobs.delete(hash);
      await again.blobs.delete(hash);
      expect(await again.blobs.get(hash)).toBeUndefined();
    }));
}
