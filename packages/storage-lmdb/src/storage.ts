import { join } from 'node:path';
import { EnvironmentError, FederatedError } from '@tutti/base';
import { ensureFolder, holdFolder } from '@tutti/base/node';
import {
  blobHash,
  decodeJournalEntry,
  JournalConflictError,
  type Blobs,
  type JournalEntry,
  type Store,
} from '@tutti/coordination';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { open, type Database, type RootDatabase } from 'lmdb';

/** The embedded storage of one coordinator: one folder, one process at a time. */
export interface LmdbStorage {
  readonly store: Store;
  readonly blobs: Blobs;
  close(): Promise<void>;
}

/** Another process has the folder open. */
export class StorageLockedError extends FederatedError {
  override readonly name = 'StorageLockedError';
  readonly code = 'storage/locked';
  readonly fault = 'environment' as const;
  constructor(
    readonly folder: string,
    readonly pid: number,
  ) {
    super(`${folder} is in use by process ${pid}; stop it, or use another folder`);
  }
}

/** Largest database, in bytes of address space; the file grows with what is in it. */
const MAP_BYTES = 2 ** 36;

/**
 * Opens the storage in `folder`, making it where it is missing. Every write is on the disk before its promise resolves.
 * @throws {EnvironmentError} if the folder cannot be made or the storage in it cannot be opened.
 * @throws {StorageLockedError} if a living process holds it; the lock of one that is gone is taken over.
 */
export async function openLmdbStorage(folder: string, crypto: CryptoSuite): Promise<LmdbStorage> {
  ensureFolder(folder);
  const unlock = holdFolder(folder, (pid) => new StorageLockedError(folder, pid));
  let root: RootDatabase;
  try {
    root = open({
      path: join(folder, 'data.mdb'),
      mapSize: MAP_BYTES,
      maxDbs: 8,
      encoding: 'binary',
      overlappingSync: false,
      noSubdir: true,
    });
  } catch (cause) {
    unlock();
    throw new EnvironmentError(
      `the storage in ${folder} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const journal = root.openDB<string, [string, number]>({ name: 'journal', encoding: 'string' });
  const values = root.openDB<Buffer, string>({ name: 'values', encoding: 'binary' });
  const blobs = root.openDB<Buffer, string>({ name: 'blobs', encoding: 'binary' });
  let closed = false;
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await root.close();
    unlock();
  }
  return { store: storeOf(root, journal, values, close), blobs: blobsOf(root, blobs, crypto), close };
}

function storeOf(
  root: RootDatabase,
  journal: Database<string, [string, number]>,
  values: Database<Buffer, string>,
  close: () => Promise<void>,
): Store {
  const lengthOf = (task: string): number => {
    for (const { key } of journal.getRange({
      start: [task, Number.MAX_SAFE_INTEGER],
      end: [task, -1],
      reverse: true,
      limit: 1,
    }))
      return key[1] + 1;
    return 0;
  };
  return {
    async readJournal(task) {
      const entries: JournalEntry[] = [];
      for (const { value } of journal.getRange({ start: [task, 0], end: [task, Number.MAX_SAFE_INTEGER] })) {
        entries.push(decodeJournalEntry(JSON.parse(value)));
      }
      return entries;
    },
    async appendJournal(task, expectedLength, entries) {
      const found = await root.transaction(() => {
        const length = lengthOf(task);
        if (length !== expectedLength) return length;
        entries.forEach((entry, index) => void journal.put([task, length + index], JSON.stringify(entry)));
        return length;
      });
      if (found !== expectedLength) throw new JournalConflictError(expectedLength, found);
      await root.flushed;
    },
    async get(key) {
      const value = values.get(key);
      return value === undefined ? undefined : Uint8Array.from(value);
    },
    async put(key, value) {
      await values.put(key, Buffer.from(value));
      await root.flushed;
    },
    close,
  };
}

function blobsOf(root: RootDatabase, blobs: Database<Buffer, string>, crypto: CryptoSuite): Blobs {
  return {
    async get(hash) {
      const value = blobs.get(hash);
      return value === undefined ? undefined : Uint8Array.from(value);
    },
    async put(bytes) {
      const hash = blobHash(bytes, crypto);
      if (!blobs.doesExist(hash)) await blobs.put(hash, Buffer.from(bytes));
      await root.flushed;
      return hash;
    },
    async delete(hash) {
      await blobs.remove(hash);
    },
  };
}
