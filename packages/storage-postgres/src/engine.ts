import { sql, type Kysely, type Transaction } from 'kysely';
import { postgresAddress, type PostgresAddress, type PostgresOptions } from './address.ts';
import { whileAway } from './judge.ts';
import { layoutOf, migrate } from './migrations.ts';
import { takeOwnership, type Ownership, type Sharing } from './ownership.ts';
import { openPool } from './pool.ts';
import type { Tables } from './tables.ts';

/** Work in one transaction; it may run again, and is then told how often it was tried before. */
export type Work<T> = (transaction: Transaction<Tables>, tries: number) => Promise<T>;

/** A database that this process owns. */
export interface Engine {
  readonly address: PostgresAddress;
  /** Reads; again while the server is away. */
  read<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /**
   * Writes in one transaction, again while the server is away. What it wrote is on the disk when it resolves. Nothing is written once
   * another process owns the storage: each transaction looks first, and keeps others from taking over until it is done.
   * @throws {StorageTakenOverError} @throws {StorageUnavailableError}
   */
  write<T>(work: Work<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * Connects, brings the schema up to date, and takes the storage for this process.
 * @throws {StorageLockedError} @throws {StorageNewerError} @throws {StorageRefusedError} @throws {StorageUnavailableError}
 */
export async function openEngine(
  url: string,
  options: PostgresOptions,
  sharing: Sharing = 'alone',
): Promise<Engine> {
  const address = postgresAddress(url, options);
  const { name, schema } = address;
  const stop = new AbortController();
  const limits = { limitMs: address.options.unavailableMs, signal: stop.signal };
  const db = openPool(address);
  let ownership: Ownership;
  try {
    // A newer layout is refused before anything is written, and an older one is changed by its owner alone.
    await whileAway(name, limits, () => layoutOf(db, schema, name));
    const prepare = (): Promise<void> => whileAway(name, limits, () => migrate(db, schema, name));
    ownership = await takeOwnership(address, prepare, sharing);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    stop.abort();
    await db.destroy();
    await ownership.close();
  }
  return {
    address,
    read: (work) => whileAway(name, limits, () => work(db)),
    write: (work) =>
      whileAway(name, limits, (tries) =>
        db.transaction().execute(async (transaction) => {
          await ownership.check(transaction);
          return work(transaction, tries);
        }),
      ),
    close: () => (closing ??= close()),
  };
}

/** Opens a database for reading alone, as it was at one instant. */
export async function openReader(
  url: string,
  options: PostgresOptions,
): Promise<{ transaction: Transaction<Tables>; layout: number; name: string; close(): Promise<void> }> {
  const address = postgresAddress(url, { ...options, connections: 1 });
  const { name, schema } = address;
  const db = openPool(address);
  const limits = { limitMs: address.options.unavailableMs };
  try {
    const layout = await whileAway(name, limits, () => layoutOf(db, schema, name));
    const transaction = await db
      .startTransaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute();
    // The instant is that of the first statement.
    await sql`select 1`.execute(transaction);
    return {
      transaction,
      layout,
      name,
      async close() {
        await transaction
          .rollback()
          .execute()
          .catch(() => undefined);
        await db.destroy();
      },
    };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}
