import { StorageLockedError, StorageTakenOverError } from '@tutti/coordination';
import { sql, type Transaction } from 'kysely';
import pg from 'pg';
import type { PostgresAddress } from './address.ts';
import { pause, whileAway } from './judge.ts';
import { endedWithin, openPool } from './pool.ts';
import { CLUSTER, WHOLE, type Tables } from './tables.ts';

/**
 * Who may write. An advisory lock, held by a connection of its own, keeps a second coordinator from starting, and is gone with the
 * process that held it. The lock alone would not do: a coordinator whose connection broke may not know yet that another one
 * started. So each owner has a number, the epoch, and every write looks whether it is still the newest.
 *
 * Processes that share a storage hold the same lock together, and have one epoch: to a process that wants it alone they are one.
 */
export interface Ownership {
  /**
   * Sees to it, until the transaction ends, that this process is the owner.
   * @throws {StorageTakenOverError}
   */
  check(transaction: Transaction<Tables>): Promise<void>;
  close(): Promise<void>;
}

/** Between two tries to get the lock, in milliseconds. */
const LOOK_MS = 100;
/** Between two tries to get the lock back after its connection broke, in milliseconds. */
const BACK_MS = 500;

/** How often the connection that holds the lock is asked whether it lives, in milliseconds. */
const ASK_MS = 10_000;
/** How long it may take to say good-bye, in milliseconds. */
const GOODBYE_MS = 2_000;

/** Whether a process has the storage alone, or shares it with others like it. */
export type Sharing = 'alone' | 'together';

/**
 * Gets the lock, has `prepare` bring the schema up to date, and takes the next epoch.
 * @throws {StorageLockedError} if another process keeps it.
 */
export async function takeOwnership(
  address: PostgresAddress,
  prepare: () => Promise<void>,
  sharing: Sharing = 'alone',
): Promise<Ownership> {
  const stop = new AbortController();
  const limits = { limitMs: address.options.unavailableMs, signal: stop.signal };
  let held = await whileAway(address.name, limits, () => lock(address, sharing));
  const closeHolder = (): Promise<void> => endedWithin(held.client.end(), GOODBYE_MS);
  let epoch: number;
  try {
    await prepare();
    epoch = await whileAway(address.name, limits, () => nextEpoch(address, sharing));
  } catch (error) {
    await closeHolder();
    throw error;
  }
  const stopped = new Promise<void>((resolve) =>
    stop.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  /** Keeps the lock for as long as the storage is open: gets it back when its connection breaks. Whether that fails, `check` says. */
  async function keep(): Promise<void> {
    while (!stop.signal.aborted) {
      await Promise.race([isGone(held, stop.signal), stopped]);
      while (!stop.signal.aborted) {
        try {
          held = await lock(address, sharing, 0);
          break;
        } catch {
          await pause(BACK_MS, stop.signal);
        }
      }
    }
  }
  const keeping = keep();
  return {
    async check(transaction) {
      const found = await transaction
        .selectFrom('leases')
        .select(['epoch', 'holder'])
        .where('scope', '=', WHOLE)
        .forShare()
        .executeTakeFirst();
      if (found?.epoch !== epoch)
        throw new StorageTakenOverError(address.name, found?.holder ?? 'somebody who emptied it');
    },
    async close() {
      stop.abort();
      await keeping;
      await closeHolder();
    },
  };
}

/** A connection that holds the lock. */
interface Held {
  readonly client: pg.Client;
  /** Resolves when it is gone, and the lock with it. */
  readonly broken: Promise<void>;
}

/** Resolves when the connection that holds the lock is gone, also where nobody says so: then another server may have its address. */
async function isGone({ client, broken }: Held, signal: AbortSignal): Promise<void> {
  let isBroken = false;
  void broken.then(() => (isBroken = true));
  while (!isBroken && !signal.aborted) {
    await Promise.race([broken, pause(ASK_MS, signal)]);
    if (isBroken || signal.aborted) return;
    try {
      await client.query('select 1');
    } catch {
      void endedWithin(client.end(), GOODBYE_MS);
      return;
    }
  }
}

/** Takes the lock. @throws {StorageLockedError} when another one still holds it after `waitMs`. */
async function lock(
  address: PostgresAddress,
  sharing: Sharing,
  waitMs = address.options.lockWaitMs,
): Promise<Held> {
  const tryLock = sharing === 'alone' ? 'pg_try_advisory_lock' : 'pg_try_advisory_lock_shared';
  const client = new pg.Client(address.client);
  const broken = new Promise<void>((resolve) => client.once('end', () => resolve()));
  // What happens to it later is seen by its end.
  client.on('error', () => undefined);
  const deadline = performance.now() + waitMs;
  try {
    await client.connect();
    for (;;) {
      const { rows } = await client.query<{ held: boolean }>(
        `select ${tryLock}(hashtextextended($1, 0)) as held`,
        [lockName(address)],
      );
      if (rows[0]?.held === true) return { client, broken };
      if (performance.now() >= deadline) throw await locked(client, address);
      await pause(LOOK_MS);
    }
  } catch (error) {
    await endedWithin(client.end(), GOODBYE_MS);
    throw error;
  }
}

const lockName = ({ schema }: PostgresAddress): string => `tutti storage ${schema}`;

/** Who holds the lock, by what their connection calls itself. */
async function locked(client: pg.Client, address: PostgresAddress): Promise<StorageLockedError> {
  const { rows } = await client.query<{ name: string }>(
    `select activity.application_name as name from pg_locks locks join pg_stat_activity activity using (pid)
     where locks.locktype = 'advisory' and locks.granted and locks.objsubid = 1
       and (locks.classid::bigint << 32) | locks.objid::bigint = hashtextextended($1, 0)`,
    [lockName(address)],
  );
  const name = rows[0]?.name ?? '';
  return new StorageLockedError(address.name, name.replace(/^tutti /, '') || 'another process');
}

/** A new epoch; those who come together take the one that is there, if it is theirs. */
async function nextEpoch(address: PostgresAddress, sharing: Sharing): Promise<number> {
  const db = openPool({ ...address, options: { ...address.options, connections: 1 } });
  const process = (address.client.application_name ?? '').replace(/^tutti /, '');
  const holder = sharing === 'alone' ? process : CLUSTER;
  try {
    const known =
      sharing === 'alone'
        ? undefined
        : await db
            .selectFrom('leases')
            .select(['epoch', 'holder'])
            .where('scope', '=', WHOLE)
            .executeTakeFirst();
    // Nobody can take it from those who share it: we hold the lock with them. The row is left alone, for each write of theirs holds it.
    if (known?.holder === CLUSTER) return known.epoch;
    const taken = await db
      .insertInto('leases')
      .values({ scope: WHOLE, epoch: 1, holder })
      .onConflict((conflict) => {
        const newest = conflict
          .column('scope')
          .doUpdateSet({ epoch: sql`leases.epoch + 1`, holder, taken_at: sql<Date>`now()` });
        return sharing === 'alone' ? newest : newest.where('leases.holder', '<>', CLUSTER);
      })
      .returning('epoch')
      .executeTakeFirst();
    const { epoch } =
      taken ??
      (await db.selectFrom('leases').select('epoch').where('scope', '=', WHOLE).executeTakeFirstOrThrow());
    return epoch;
  } finally {
    await db.destroy();
  }
}
