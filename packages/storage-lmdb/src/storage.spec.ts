import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StorageMissingError, StorageNewerError, type StorageItem } from '@tutti/coordination';
import { storageContract } from '@tutti/coordination/testing';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { open } from 'lmdb';
import { describe, expect, it } from 'vitest';
import { lmdbPlace, openLmdbStorage, StorageLockedError } from './index.ts';

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'tutti-lmdb-'));

const ENTRY = {
  v: 1,
  type: 'task-created',
  atMs: 1,
  layoutHash: 'a'.repeat(64),
  catalogueHash: 'b'.repeat(64),
  modelHash: 'c'.repeat(64),
};

/** Writes a file as Tutti 0.1 did, or one with another number of its layout. */
async function writeOlder(folder: string, layout?: string): Promise<void> {
  const options = { maxDbs: 8, encoding: 'binary', overlappingSync: false, noSubdir: true } as const;
  const root = open({ path: join(folder, 'data.mdb'), mapSize: 2 ** 36, ...options });
  const journal = root.openDB<string, [string, number]>({ name: 'journal', encoding: 'string' });
  const values = root.openDB<Buffer, string>({ name: 'values', encoding: 'binary' });
  const blobs = root.openDB<Buffer, string>({ name: 'blobs', encoding: 'binary' });
  await journal.put(['films', 0], JSON.stringify(ENTRY));
  await values.put('coordinator-key', Buffer.of(1, 2, 3));
  await blobs.put('d'.repeat(64), Buffer.of(4));
  if (layout !== undefined) await root.openDB({ name: 'meta', encoding: 'string' }).put('layout', layout);
  await root.close();
}

const fingerprint = (folder: string): string =>
  createHash('sha256')
    .update(readFileSync(join(folder, 'data.mdb')))
    .digest('hex');

async function itemsIn(folder: string): Promise<StorageItem[]> {
  const snapshot = await lmdbPlace(folder, nodeCrypto).snapshot();
  const items: StorageItem[] = [];
  for await (const item of snapshot.items()) items.push(item);
  await snapshot.close();
  return items;
}

describe('the storage on LMDB', () => {
  storageContract(async () => {
    const folder = newFolder();
    return {
      place: lmdbPlace(folder, nodeCrypto),
      module: `
        import { lmdbPlace } from '@tutti/storage-lmdb';
        import { nodeCrypto } from '@tutti/secure-aggregation/node';
        const place = lmdbPlace(${JSON.stringify(folder)}, nodeCrypto);`,
      destroy: async () => rmSync(folder, { recursive: true, force: true }),
    };
  });

  it('belongs to one process at a time; the lock of one that is gone is taken over', async () => {
    const folder = newFolder();
    const storage = await openLmdbStorage(folder, nodeCrypto);
    await expect(openLmdbStorage(folder, nodeCrypto)).rejects.toThrow(StorageLockedError);
    await expect(openLmdbStorage(folder, nodeCrypto)).rejects.toThrow(`in use by process ${process.pid}`);
    await storage.close();
    // The second is what a killed coordinator leaves in a container: the next one has the same number.
    for (const pid of [999_999_999, process.pid]) {
      writeFileSync(join(folder, 'pid'), String(pid));
      await (await openLmdbStorage(folder, nodeCrypto)).close();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it('reads what Tutti 0.1 wrote without changing it, and opens it', async () => {
    const folder = newFolder();
    await writeOlder(folder);
    const before = fingerprint(folder);
    const items = await itemsIn(folder);
    expect(items.map(({ kind }) => kind)).toEqual(['entry', 'value', 'blob']);
    expect(fingerprint(folder)).toBe(before);
    for (let times = 0; times < 2; times++) {
      const { store, blobs, close } = await openLmdbStorage(folder, nodeCrypto);
      expect(await store.readJournal('films')).toEqual([ENTRY]);
      expect(await store.get('coordinator-key')).toEqual(Uint8Array.of(1, 2, 3));
      expect(await blobs.get('d'.repeat(64))).toEqual(Uint8Array.of(4));
      await close();
    }
    expect(await itemsIn(folder)).toEqual(items);
    rmSync(folder, { recursive: true, force: true });
  });

  it('refuses what a newer Tutti wrote, untouched', async () => {
    const folder = newFolder();
    await writeOlder(folder, '3');
    const before = fingerprint(folder);
    const place = lmdbPlace(folder, nodeCrypto);
    await expect(place.open()).rejects.toThrow(StorageNewerError);
    await expect(place.open()).rejects.toThrow('has layout 3, and this Tutti knows up to 2');
    await expect(place.snapshot()).rejects.toThrow(StorageNewerError);
    expect(fingerprint(folder)).toBe(before);
    rmSync(folder, { recursive: true, force: true });
  });

  it('clears away what a killed fill left, and says where there is nothing', async () => {
    const folder = newFolder();
    const place = lmdbPlace(folder, nodeCrypto);
    await expect(place.snapshot()).rejects.toThrow(StorageMissingError);
    for (const name of ['filling.mdb', 'filling.mdb-lock']) writeFileSync(join(folder, name), 'half');
    await place.fill((async function* () {})());
    expect(readdirSync(folder).filter((name) => name !== 'data.mdb-lock')).toEqual(['data.mdb']);
    expect(await itemsIn(folder)).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  });
});
