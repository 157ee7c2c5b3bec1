import { LeaseLostError, type LeaseView, type SharedStorage, type TaskLease } from '@tutti/coordination';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { sql, type Transaction } from 'kysely';
import type { PostgresOptions } from './address.ts';
import type { BlobCache } from './blob-cache.ts';
import { openEngine, type Engine, type Work } from './engine.ts';
import { blobsOf, cachedBlobs, storeOf } from './storage.ts';
import { FREE, taskScope, type Tables } from './tables.ts';

/**
 * Where others can take over, nobody waits for long: neither for what a process that is paused has locked, nor for a statement, nor for a
 * server that fell silent.
 */
const IMPATIENT = { idleMs: 5_000, statementMs: 10_000, answerMs: 3_000 };

/**
 * Opens the storage for one of several processes that share it: each task is written by whoever holds its lease. A process that wants
 * the storage alone finds it in use meanwhile, and the other way round.
 * @throws as `openPostgresStorage` does.
 */
export async function openSharedPostgresStorage(
  url: string,
  crypto: CryptoSuite,
  options: PostgresOptions = {},
): Promise<SharedStorage> {
  const engine = await openEngine(url, { ...IMPATIENT, ...options }, 'together');
  const cache = cachedBlobs(engine.read);
  return {
    store: storeOf(engine),
    blobs: blobsOf(engine, crypto, cache),
    close: () => engine.close(),
    shared: (key, make) => sharedValue(engine, key, make),
    look: () => lookAt(engine),
    async take(task, seen) {
      const epoch = await takeLease(engine, task, seen);
      return epoch === undefined ? undefined : leaseOf({ engine, task, epoch, crypto, cache });
    },
  };
}

/** The first process's value counts for all. */
async function sharedValue(engine: Engine, key: string, make: () => Uint8Array): Promise<Uint8Array> {
  const content = Buffer.from(make());
  const found = await engine.write(async (db) => {
    await db
      .insertInto('small_values')
      .values({ key, content })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return db.selectFrom('small_values').select('content').where('key', '=', key).executeTakeFirstOrThrow();
  });
  return Uint8Array.from(found.content);
}

async function lookAt({ read }: Engine): Promise<LeaseView[]> {
  const prefix = taskScope('');
  const rows = await read((db) =>
    db
      .selectFrom('leases')
      .select(['scope', 'epoch', 'beats', 'holder'])
      .where('scope', 'like', `${prefix}%`)
      .execute(),
  );
  return rows.map(({ scope, epoch, beats, holder }) => ({
    ...{ task: scope.slice(prefix.length), epoch, beats, holder },
    isFree: beats === FREE,
  }));
}

/** Takes a lease that stands as it was seen. @returns its epoch; undefined where somebody else was quicker, or its holder lives. */
async function takeLease(
  { write, address }: Engine,
  task: string,
  seen: LeaseView | undefined,
): Promise<number | undefined> {
  const scope = taskScope(task);
  const holder = (address.client.application_name ?? '').replace(/^tutti /, '');
  const taken = await write((db) =>
    seen === undefined
      ? db
          .insertInto('leases')
          .values({ scope, epoch: 1, holder, beats: 0 })
          .onConflict((conflict) => conflict.doNothing())
          .returning('epoch')
          .executeTakeFirst()
      : db
          .updateTable('leases')
          .set({ epoch: seen.epoch + 1, holder, beats: 0, taken_at: sql<Date>`now()` })
          .where('scope', '=', scope)
          .where('epoch', '=', seen.epoch)
          .where('beats', '=', seen.beats)
          .returning('epoch')
          .executeTakeFirst(),
  );
  return taken?.epoch;
}

function leaseOf(held: {
  engine: Engine;
  task: string;
  epoch: number;
  crypto: CryptoSuite;
  cache: BlobCache;
}): TaskLease {
  const { engine, task, epoch, crypto, cache } = held;
  const scope = taskScope(task);
  const fenced = {
    read: engine.read,
    write: <T>(work: Work<T>): Promise<T> =>
      engine.write(async (db, tries) => {
        await checkLease(db, task, epoch);
        return work(db, tries);
      }),
    close: async () => undefined,
  };
  const beat = async (next: ReturnType<typeof sql<number>>): Promise<boolean> => {
    const beaten = await engine.write((db) =>
      db
        .updateTable('leases')
        .set({ beats: next })
        .where('scope', '=', scope)
        .where('epoch', '=', epoch)
        .where('beats', '<>', FREE)
        .executeTakeFirst(),
    );
    return beaten.numUpdatedRows === 1n;
  };
  return {
    task,
    epoch,
    store: storeOf(fenced),
    blobs: blobsOf(fenced, crypto, cache),
    renew: () => beat(sql<number>`(beats + 1) % 1000000000`),
    release: async () => void (await beat(sql<number>`${FREE}::integer`)),
  };
}

/** Sees to it, until the transaction ends, that the lease is held, and taken by nobody meanwhile. */
async function checkLease(db: Transaction<Tables>, task: string, epoch: number): Promise<void> {
  const found = await db
    .selectFrom('leases')
    .select(['epoch', 'holder', 'beats'])
    .where('scope', '=', taskScope(task))
    .forShare()
    .executeTakeFirst();
  if (found?.epoch !== epoch || found.beats === FREE)
    throw new LeaseLostError(task, found?.holder ?? 'nobody');
}
