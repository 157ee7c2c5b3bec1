import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { open as openFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '@tutti/base/node';
import {
  decodeJournalEntry,
  StorageMissingError,
  StorageNotEmptyError,
  type StorageItem,
  type StoragePlace,
  type StorageSnapshot,
} from '@tutti/coordination';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { dataFile, openDatabases, readDatabases, stampLayout, type Databases } from './layout.ts';
import { hold, openLmdbStorage } from './storage.ts';

/** How many items wait to be written at most; a blob counts by its size besides. */
const MOST_WAITING = 500;
/** How many bytes of blobs wait to be written at most. */
const MOST_WAITING_BYTES = 2 ** 26;

/** A folder that holds a coordinator's storage, or will. */
export function lmdbPlace(folder: string, crypto: CryptoSuite): StoragePlace {
  return {
    name: folder,
    open: () => openLmdbStorage(folder, crypto),
    snapshot: async () => snapshotOf(folder),
    fill: (items) => fill(folder, items),
  };
}

function snapshotOf(folder: string): StorageSnapshot {
  if (!existsSync(dataFile(folder))) throw new StorageMissingError(folder);
  const { root, journal, values, blobs } = readDatabases(dataFile(folder), folder);
  const transaction = root.useReadTransaction();
  const counts = [journal, values, blobs].map((database) => database?.getCount({ transaction }) ?? 0);
  let closed = false;
  return {
    count: counts.reduce((sum, count) => sum + count, 0),
    async *items(): AsyncIterable<StorageItem> {
      for (const { key, value } of journal?.getRange({ transaction }) ?? [])
        yield {
          kind: 'entry',
          task: key[0],
          position: key[1],
          entry: decodeJournalEntry(JSON.parse(value)),
        };
      for (const { key, value } of values?.getRange({ transaction }) ?? [])
        yield { kind: 'value', key, bytes: Uint8Array.from(value) };
      for (const { key, value } of blobs?.getRange({ transaction }) ?? [])
        yield { kind: 'blob', hash: key, bytes: Uint8Array.from(value) };
    },
    async close() {
      if (closed) return;
      closed = true;
      transaction.done();
      await root.close();
    },
  };
}

/** Writes to a file beside, and gives it its name when it is whole and on the disk. */
async function fill(folder: string, items: AsyncIterable<StorageItem>): Promise<void> {
  const isNew = !existsSync(folder);
  ensureFolder(folder);
  const unlock = hold(folder);
  const beside = join(folder, 'filling.mdb');
  const clear = (): void => {
    for (const file of [beside, `${beside}-lock`]) rmSync(file, { force: true });
  };
  try {
    if (existsSync(dataFile(folder))) throw new StorageNotEmptyError(folder);
    clear();
    const databases = openDatabases(beside);
    try {
      for await (const waiting of batchesOf(items)) {
        await Promise.all(waiting.map((item) => put(databases, item)));
      }
      await stampLayout(databases);
      await databases.root.flushed;
    } finally {
      await databases.root.close();
    }
    await rename(beside, dataFile(folder));
    await flushFolder(folder);
  } finally {
    clear();
    unlock();
    if (isNew && !existsSync(dataFile(folder))) removeEmpty(folder);
  }
}

/** Whoever put something in it meanwhile keeps it. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  }
}

function put({ journal, values, blobs }: Databases, item: StorageItem): Promise<boolean> {
  switch (item.kind) {
    case 'entry':
      return journal.put([item.task, item.position], JSON.stringify(item.entry));
    case 'value':
      return values.put(item.key, Buffer.from(item.bytes));
    case 'blob':
      return blobs.put(item.hash, Buffer.from(item.bytes));
  }
}

async function* batchesOf(items: AsyncIterable<StorageItem>): AsyncIterable<StorageItem[]> {
  let batch: StorageItem[] = [];
  let bytes = 0;
  for await (const item of items) {
    batch.push(item);
    bytes += item.kind === 'entry' ? 0 : item.bytes.length;
    if (batch.length < MOST_WAITING && bytes < MOST_WAITING_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  yield batch;
}

/** So that the new name is on the disk too. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await openFile(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
