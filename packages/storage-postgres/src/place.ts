import {
  decodeJournalEntry,
  StorageMissingError,
  StorageNotEmptyError,
  StorageUnavailableError,
  type StorageItem,
  type StoragePlace,
  type StorageSnapshot,
} from '@tutti/coordination';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import type { Kysely } from 'kysely';
import { postgresAddress, type PostgresOptions } from './address.ts';
import { openEngine, openReader } from './engine.ts';
import { named } from './judge.ts';
import { insertBlob, insertEntries, readBlob } from './rows.ts';
import { openPostgresStorage } from './storage.ts';
import type { Tables } from './tables.ts';

/** Entries, values or hashes that are read or written at a time. */
const PAGE = 500;

/** A database that holds a coordinator's storage, or will. @throws {UsageError} if the address is none. */
export function postgresPlace(url: string, crypto: CryptoSuite, options: PostgresOptions = {}): StoragePlace {
  return {
    name: postgresAddress(url, options).name,
    open: () => openPostgresStorage(url, crypto, options),
    snapshot: () => snapshotOf(url, options),
    fill: (items) => fill(url, options, items),
  };
}

async function snapshotOf(url: string, options: PostgresOptions): Promise<StorageSnapshot> {
  const { transaction, layout, name, close } = await openReader(url, options);
  try {
    if (layout === 0) throw new StorageMissingError(name);
    const count = await countOf(transaction);
    return { count, items: () => withNamedErrors(name, itemsOf(transaction)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A snapshot is lost with its connection: there is nothing to try again. */
async function* withNamedErrors<T>(name: string, items: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* items;
  } catch (error) {
    throw named(name, error, 0);
  }
}

async function countOf(db: Kysely<Tables>): Promise<number> {
  let count = 0;
  for (const table of ['journal', 'small_values', 'blobs'] as const) {
    const found = await db
      .selectFrom(table)
      .select(({ fn }) => fn.countAll<string>().as('rows'))
      .executeTakeFirstOrThrow();
    count += Number(found.rows);
  }
  return count;
}

async function* itemsOf(db: Kysely<Tables>): AsyncIterable<StorageItem> {
  yield* entriesOf(db);
  const values = db.selectFrom('small_values').selectAll().orderBy('key').limit(PAGE);
  for (let after = ''; ;) {
    const page = await values.where('key', '>', after).execute();
    for (const { key, content } of page) yield { kind: 'value', key, bytes: Uint8Array.from(content) };
    if (page.length < PAGE) break;
    after = page.at(-1)?.key ?? '';
  }
  const hashes = db.selectFrom('blobs').select('hash').orderBy('hash').limit(PAGE);
  for (let after = ''; ;) {
    const page = await hashes.where('hash', '>', after).execute();
    for (const { hash } of page) {
      const bytes = await readBlob(db, hash);
      if (bytes !== undefined) yield { kind: 'blob', hash, bytes };
    }
    if (page.length < PAGE) break;
    after = page.at(-1)?.hash ?? '';
  }
}

async function* entriesOf(db: Kysely<Tables>): AsyncIterable<StorageItem> {
  const tasks = await db.selectFrom('journal').select('task').distinct().orderBy('task').execute();
  for (const { task } of tasks) {
    const entries = db
      .selectFrom('journal')
      .select(['position', 'entry'])
      .where('task', '=', task)
      .orderBy('position')
      .limit(PAGE);
    for (let from = 0; ; from += PAGE) {
      const page = await entries.where('position', '>=', from).execute();
      for (const { position, entry } of page)
        yield { kind: 'entry', task, position, entry: decodeJournalEntry(entry) };
      if (page.length < PAGE) break;
    }
  }
}

/** Writes everything in one transaction. */
async function fill(url: string, options: PostgresOptions, items: AsyncIterable<StorageItem>): Promise<void> {
  const { write, close, address } = await openEngine(url, options);
  const begun = performance.now();
  let written = 0;
  let isWhole = false;
  try {
    await write(async (db, tries) => {
      const count = await countOf(db);
      // The connection may have broken behind the commit. Where it broke before, the items are spent: they can be read once.
      if (tries > 0 && isWhole && count === written) return;
      if (tries > 0)
        throw new StorageUnavailableError(address.name, 'the connection broke', performance.now() - begun);
      if (count > 0) throw new StorageNotEmptyError(address.name);
      for await (const batch of batchesOf(items)) {
        await insert(db, batch);
        written += batch.length;
      }
      isWhole = true;
    });
  } finally {
    await close();
  }
}

/** Items that are written together: entries of one journal, or one of anything else. */
async function* batchesOf(items: AsyncIterable<StorageItem>): AsyncIterable<StorageItem[]> {
  let batch: StorageItem[] = [];
  for await (const item of items) {
    const [first] = batch;
    const goesOn = first?.kind === 'entry' && item.kind === 'entry' && first.task === item.task;
    if (batch.length > 0 && (!goesOn || batch.length >= PAGE)) {
      yield batch;
      batch = [];
    }
    batch.push(item);
  }
  if (batch.length > 0) yield batch;
}

async function insert(db: Kysely<Tables>, batch: readonly StorageItem[]): Promise<void> {
  const [item] = batch;
  switch (item?.kind) {
    case undefined:
      return;
    case 'entry': {
      const texts = batch.flatMap((one) => (one.kind === 'entry' ? [JSON.stringify(one.entry)] : []));
      return insertEntries(db, item.task, item.position, texts);
    }
    case 'value':
      await db
        .insertInto('small_values')
        .values({ key: item.key, content: Buffer.from(item.bytes) })
        .execute();
      return;
    case 'blob':
      return insertBlob(db, item.hash, Buffer.from(item.bytes));
  }
}
