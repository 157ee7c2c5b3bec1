import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import type { PostgresAddress } from './address.ts';
import type { Tables } from './tables.ts';

/** How many may wait for a connection. */
const MOST_WAITING = 1_024;

/** How long an idle connection is kept, in milliseconds. */
const IDLE_MS = 30_000;

/** Opens a pool of bounded size over an address; nothing is connected yet. */
export function openPool({ client, schema, options }: PostgresAddress): Kysely<Tables> {
  const pool = new pg.Pool({ ...client, max: options.connections, idleTimeoutMillis: IDLE_MS });
  // One that breaks is replaced when one is needed; who is using it hears from its next query.
  pool.on('error', () => undefined);
  pool.on('connect', (connection) => connection.on('error', () => undefined));
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: bounded(pool) }) }).withSchema(schema);
}

/** A pool that refuses a queue without end, and throws away what is broken: Kysely gives every connection back as if it were whole. */
function bounded(pool: pg.Pool): PostgresPool {
  return {
    async connect() {
      if (pool.waitingCount >= MOST_WAITING)
        throw Object.assign(new Error(`${MOST_WAITING} wait for a connection`), { code: '53300' });
      return watched(await pool.connect());
    },
    end: () => pool.end(),
  };
}

function watched(client: pg.PoolClient): PostgresPoolClient {
  let isBroken = false;
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    try {
      return await client.query(text, [...values]);
    } catch (error) {
      // What the server answered leaves the connection whole; anything else may have left half an answer in it.
      if (!(error instanceof pg.DatabaseError)) isBroken = true;
      throw error;
    }
  };
  return { query, release: () => client.release(isBroken) } as PostgresPoolClient;
}
