import { existsSync } from 'node:fs';
import { EnvironmentError } from '@tutti/base';
import { ensureFolder, holdFolder } from '@tutti/base/node';
import {
  blobHash,
  decodeJournalEntry,
  JournalConflictError,
  StorageLockedError,
  type Blobs,
  type JournalEntry,
  type Storage,
  type Store,
} from '@tutti/coordination';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { dataFile, openDatabases, readDatabases, stampLayout, type Databases } from './layout.ts';

/** The embedded storage of one coordinator: one folder, one process at a time. */
export type LmdbStorage = Storage;

/** Holds a folder for this process. @throws {StorageLockedError} if a living process holds it. */
export const hold = (folder: string): (() => void) =>
  holdFolder(folder, (pid) => new StorageLockedError(folder, `process ${pid}`));

/**
 * Opens the storage in `folder`, making it where it is missing. Every write is on the disk before its promise resolves.
 * @throws {EnvironmentError} if the folder cannot be made or the storage in it cannot be opened.
 * @throws {StorageLockedError} if a living process holds it; the lock of one that is gone is taken over.
 * @throws {StorageNewerError} if a newer Tutti wrote it; it is unchanged then.
 */
export async function openLmdbStorage(folder: string, crypto: CryptoSuite): Promise<LmdbStorage> {
  ensureFolder(folder);
  const unlock = hold(folder);
  let databases: Databases;
  try {
    const file = dataFile(folder);
    // A newer layout is found before anything is opened for writing, which alone would change the file.
    if (existsSync(file)) await readDatabases(file, folder).root.close();
    databases = openDatabases(file);
    await stampLayout(databases);
  } catch (error) {
    unlock();
    throw error;
  }
  let closed = false;
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await databases.root.close();
    unlock();
  }
  return { store: storeOf(databases, close), blobs: blobsOf(databases, crypto), close };
}

function storeOf({ root, journal, values }: Databases, close: () => Promise<void>): Store {
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
      const found = await durably(() =>
        root.transaction(() => {
          const length = lengthOf(task);
          if (length !== expectedLength) return length;
          entries.forEach((entry, index) => journal.putSync([task, length + index], JSON.stringify(entry)));
          return length;
        }),
      );
      if (found !== expectedLength) throw new JournalConflictError(expectedLength, found);
    },
    async get(key) {
      const value = values.get(key);
      return value === undefined ? undefined : Uint8Array.from(value);
    },
    async put(key, value) {
      await durably(() => values.put(key, Buffer.from(value)));
    },
    close,
  };
}

function blobsOf({ blobs }: Pick<Databases, 'blobs'>, crypto: CryptoSuite): Blobs {
  return {
    async get(hash) {
      const value = blobs.get(hash);
      return value === undefined ? undefined : Uint8Array.from(value);
    },
    async put(bytes) {
      const hash = blobHash(bytes, crypto);
      if (!blobs.doesExist(hash)) await durably(() => blobs.put(hash, Buffer.from(bytes)));
      return hash;
    },
    async delete(hash) {
      await durably(() => blobs.remove(hash));
    },
  };
}

/**
 * A write, which is on the disk when it resolves: without overlapping syncs, a commit is.
 * @throws {EnvironmentError} with what the system says; nothing was written then, and the next write is tried as ever.
 */
async function durably<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw await writeError(error);
  }
}

async function writeError(error: unknown): Promise<EnvironmentError> {
  const cause: unknown =
    error instanceof Error && 'commitError' in error
      ? await Promise.resolve(error.commitError).catch((reason: unknown) => reason)
      : error;
  const said = cause instanceof Error ? cause.message : String(cause);
  return new EnvironmentError(`the storage cannot be written: ${said}`, { cause });
}
