import { randomUUID } from 'node:crypto';
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
    async take(task, seen, above = 0) {
      const taken = { epoch: Math.max(seen?.epoch ?? 0, above) + 1, holder: newHolder(engine) };
      if (!(await takeLease(engine, task, seen, taken))) return undefined;
      return leaseOf({ engine, task, taken, crypto, cache });
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

/** What a lease is known by. */
interface Taken {
  readonly epoch: number;
  readonly holder: string;
}

/**
 * This process, as nobody was ever called who took a lease: a database that lost its last commits may give an epoch again, and who had it
 * before must not write with it.
 */
function newHolder({ address }: Engine): string {
  const process = (address.client.application_name ?? '').replace(/^tutti /, '');
  return `${process}, ${randomUUID().slice(0, 13)}`;
}

/** Takes a lease that stands as it was seen. @returns false where somebody else was quicker, or its holder lives. */
async function takeLease(
  { write }: Engine,
  task: string,
  seen: LeaseView | undefined,
  { epoch, holder }: Taken,
): Promise<boolean> {
  const scope = taskScope(task);
  const taken = await write((db) =>
    seen === undefined
      ? db
          .insertInto('leases')
          .values({ scope, epoch, holder, beats: 0 })
          .onConflict((conflict) => conflict.doNothing())
          .returning('epoch')
          .executeTakeFirst()
      : db
          .updateTable('leases')
          .set({ epoch, holder, beats: 0, taken_at: sql<Date>`now()` })
          .where('scope', '=', scope)
          .where('epoch', '=', seen.epoch)
          .where('beats', '=', seen.beats)
          .returning('epoch')
          .executeTakeFirst(),
  );
  return taken !== undefined;
}

function leaseOf(held: {
  engine: Engine;
  task: string;
  taken: Taken;
  crypto: CryptoSuite;
  cache: BlobCache;
}): TaskLease {
  const { engine, task, taken, crypto, cache } = held;
  const { epoch, holder } = taken;
  const scope = taskScope(task);
  const fenced = {
    read: engine.read,
    write: <T>(work: Work<T>): Promise<T> =>
      engine.write(async (db, tries) => {
        await checkLease(db, task, taken);
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
        .where('holder', '=', holder)
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
async function checkLease(db: Transaction<Tables>, task: string, taken: Taken): Promise<void> {
  const found = await db
    .selectFrom('leases')
    .select(['epoch', 'holder', 'beats'])
    .where('scope', '=', taskScope(task))
    .forShare()
    .executeTakeFirst();
  const isOurs = found?.epoch === taken.epoch && found.holder === taken.holder;
  if (!isOurs || found.beats === FREE) throw new LeaseLostError(task, found?.holder ?? 'nobody');
}
