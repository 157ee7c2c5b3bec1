import {
  blobHash,
  decodeJournalEntry,
  JournalConflictError,
  type Blobs,
  type JournalEntry,
  type Storage,
  type Store,
} from '@tutti/coordination';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { sql, type Kysely } from 'kysely';
import pg from 'pg';
import type { PostgresOptions } from './address.ts';
import { blobCache, type BlobCache } from './blob-cache.ts';
import { openEngine, type Engine } from './engine.ts';
import { insertBlob, insertEntries, readBlob } from './rows.ts';
import type { Tables } from './tables.ts';

/**
 * Opens the storage in a database, making or updating its schema. Every write is committed and on the server's disk before its promise
 * resolves; while the server is away, reads and writes wait for it, up to `unavailableMs`.
 * @param url `postgres://user:password@host:5432/database?schema=tutti`
 * @throws {UsageError} if the address is none.
 * @throws {StorageLockedError} if another process has it open.
 * @throws {StorageNewerError} if a newer Tutti wrote it; it is unchanged then.
 * @throws {StorageRefusedError} if the server does not let us in. @throws {StorageUnavailableError} if it does not answer.
 */
export async function openPostgresStorage(
  url: string,
  crypto: CryptoSuite,
  options: PostgresOptions = {},
): Promise<Storage> {
  const engine = await openEngine(url, options);
  return { store: storeOf(engine), blobs: blobsOf(engine, crypto), close: () => engine.close() };
}

/** What a store and its blobs need of an engine. */
type Access = Pick<Engine, 'read' | 'write' | 'close'>;

export function storeOf({ read, write, close }: Access): Store {
  return {
    readJournal: (task) => read((db) => journalOf(db, task)),
    async appendJournal(task, expectedLength, entries) {
      const texts = entries.map((entry) => JSON.stringify(entry));
      try {
        await write(async (db, tries) => {
          const length = await lengthOf(db, task);
          // The connection may have broken behind the commit: nobody but us can have written what stands there.
          if (tries > 0 && (await stands(db, task, expectedLength, texts))) return;
          if (length !== expectedLength) throw new JournalConflictError(expectedLength, length);
          await insertEntries(db, task, expectedLength, texts);
        });
      } catch (error) {
        // Two appended at once, and the other one was first.
        if (!(error instanceof pg.DatabaseError) || error.code !== '23505') throw error;
        throw new JournalConflictError(expectedLength, await read((db) => lengthOf(db, task)), {
          cause: error,
        });
      }
    },
    get: (key) =>
      read(async (db) => {
        const found = await db
          .selectFrom('small_values')
          .select('content')
          .where('key', '=', key)
          .executeTakeFirst();
        return found === undefined ? undefined : Uint8Array.from(found.content);
      }),
    async put(key, value) {
      const content = Buffer.from(value);
      await write((db) =>
        db
          .insertInto('small_values')
          .values({ key, content })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ content }))
          .execute(),
      );
    },
    close,
  };
}

async function journalOf(db: Kysely<Tables>, task: string): Promise<JournalEntry[]> {
  const rows = await db
    .selectFrom('journal')
    .select('entry')
    .where('task', '=', task)
    .orderBy('position')
    .execute();
  return rows.map(({ entry }) => decodeJournalEntry(entry));
}

async function lengthOf(db: Kysely<Tables>, task: string): Promise<number> {
  const found = await db
    .selectFrom('journal')
    .select(({ fn }) => fn.max('position').as('last'))
    .where('task', '=', task)
    .executeTakeFirst();
  const last = found?.last as number | null | undefined;
  return last === null || last === undefined ? 0 : last + 1;
}

/** Whether exactly these entries stand there, as the last ones. */
async function stands(
  db: Kysely<Tables>,
  task: string,
  from: number,
  texts: readonly string[],
): Promise<boolean> {
  const rows = await db
    .selectFrom('journal')
    .select(sql<string>`entry::text`.as('text'))
    .where('task', '=', task)
    .where('position', '>=', from)
    .orderBy('position')
    .execute();
  return texts.length > 0 && rows.length === texts.length && rows.every(({ text }, i) => text === texts[i]);
}

/** @param cache those at hand; its own without one. */
export function blobsOf(
  { read, write }: Pick<Access, 'read' | 'write'>,
  crypto: CryptoSuite,
  cache: BlobCache = cachedBlobs(read),
): Blobs {
  return {
    get: cache.get,
    async put(bytes) {
      const hash = blobHash(bytes, crypto);
      const content = Buffer.from(bytes);
      await write((db) => insertBlob(db, hash, content));
      return hash;
    },
    async delete(hash) {
      await write((db) => db.deleteFrom('blobs').where('hash', '=', hash).execute());
      cache.drop(hash);
    },
  };
}

export const cachedBlobs = (read: Access['read']): BlobCache =>
  blobCache((hash) => read((db) => readBlob(db, hash)));
