import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import type { PostgresAddress } from './address.ts';
import type { Tables } from './tables.ts';

/** How many may wait for a connection. */
const MOST_WAITING = 1_024;

/** How long an idle connection is kept, in milliseconds. */
const IDLE_MS = 30_000;

/** A connection that rested for so long is asked whether it lives before it is used, in milliseconds. */
const RESTED_MS = 500;

/** How long it may take to say so, in milliseconds. */
const ALIVE_MS = 3_000;

/** How long connections may take to say good-bye, in milliseconds: a server that is cut off does not answer. */
const GOODBYE_MS = 2_000;

/** Opens a pool of bounded size over an address; nothing is connected yet. */
export function openPool({ client, schema, options }: PostgresAddress): Kysely<Tables> {
  const pool = new pg.Pool({ ...client, max: options.connections, idleTimeoutMillis: IDLE_MS });
  // One that breaks is replaced when one is needed; who is using it hears from its next query.
  pool.on('error', () => undefined);
  pool.on('connect', (connection) => connection.on('error', () => undefined));
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: bounded(pool) }) }).withSchema(schema);
}

/** When a connection was made, and used last. */
interface Times {
  readonly madeMs: number;
  usedMs: number;
}

/**
 * A pool that refuses a queue without end, and throws away what is broken: Kysely gives every connection back as if it were whole. Where
 * one fell silent, as all do when a network is cut or another server has the address now, those made before it are thrown away unused:
 * else each would cost the wait for its answer.
 */
function bounded(pool: pg.Pool): PostgresPool {
  const timesOf = new WeakMap<pg.PoolClient, Times>();
  let brokeMs = Number.NEGATIVE_INFINITY;
  const onBroken = (): void => void (brokeMs = performance.now());
  const isGood = async (client: pg.PoolClient): Promise<boolean> => {
    const nowMs = performance.now();
    const times = timesOf.get(client) ?? { madeMs: nowMs, usedMs: nowMs };
    timesOf.set(client, times);
    if (times.madeMs <= brokeMs) return false;
    if (nowMs - times.usedMs < RESTED_MS || (await isAlive(client))) return true;
    onBroken();
    return false;
  };
  return {
    async connect() {
      for (;;) {
        if (pool.waitingCount >= MOST_WAITING)
          throw Object.assign(new Error(`${MOST_WAITING} wait for a connection`), { code: '53300' });
        const client = await pool.connect();
        if (!(await isGood(client))) {
          client.release(true);
          continue;
        }
        const onReleased = (): void => {
          const times = timesOf.get(client);
          if (times !== undefined) times.usedMs = performance.now();
        };
        return watched(client, { onBroken, onReleased });
      }
    },
    end: () => endedWithin(pool.end(), GOODBYE_MS),
  };
}

/** Whether a connection answers. */
async function isAlive(client: pg.PoolClient): Promise<boolean> {
  let tooLate: ReturnType<typeof setTimeout> | undefined;
  const answer = client.query('select 1').then(
    () => true,
    () => false,
  );
  const silence = new Promise<boolean>((resolve) => (tooLate = setTimeout(() => resolve(false), ALIVE_MS)));
  return Promise.race([answer, silence]).finally(() => clearTimeout(tooLate));
}

/** Waits for an end, but not for ever. */
export async function endedWithin(end: Promise<void>, ms: number): Promise<void> {
  let tooLate: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([
    end.catch(() => undefined),
    new Promise<void>((resolve) => (tooLate = setTimeout(resolve, ms))),
  ]).finally(() => clearTimeout(tooLate));
}

function watched(
  client: pg.PoolClient,
  { onBroken, onReleased }: { readonly onBroken: () => void; readonly onReleased: () => void },
): PostgresPoolClient {
  let isBroken = false;
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    try {
      return await client.query(text, [...values]);
    } catch (error) {
      // What the server answered leaves the connection whole; anything else may have left half an answer in it.
      if (!(error instanceof pg.DatabaseError)) {
        isBroken = true;
        onBroken();
      }
      throw error;
    }
  };
  const release = (): void => {
    onReleased();
    client.release(isBroken);
  };
  return { query, release } as PostgresPoolClient;
}
