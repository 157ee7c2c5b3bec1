import { hostname } from 'node:os';
import { UsageError } from '@tutti/base';
import type { ClientConfig } from 'pg';
import { parse } from 'pg-connection-string';

/** Which database, and how long to wait for it. */
export interface PostgresOptions {
  /** Longest wait for a server that does not answer, when it is opened and for each read and write, in milliseconds; default 60,000. */
  readonly unavailableMs?: number;
  /** Longest wait for another process to let go, in milliseconds; default 3,000: a killed one's connection may live a moment longer. */
  readonly lockWaitMs?: number;
  /** Longest time of one statement, in milliseconds; default 20,000, where processes share a storage 10,000. */
  readonly statementMs?: number;
  /** How much longer than that we wait for an answer: the server gives one unless the network is cut, in milliseconds; default 5,000, or 3,000. */
  readonly answerMs?: number;
  /**
   * How long a transaction of ours may do nothing before the server ends it, in milliseconds; default 600,000, for a backup may write to a
   * slow disk meanwhile. Where processes share a storage, 5,000: one that is paused must not keep others from taking its tasks over.
   */
  readonly idleMs?: number;
  /** Most connections beside the one that holds the lock; default 4. */
  readonly connections?: number;
}

/** An address with everything that follows from it. */
export interface PostgresAddress {
  /** How messages name it: server, database and schema, without user and password. */
  readonly name: string;
  readonly schema: string;
  readonly client: ClientConfig;
  readonly options: Required<PostgresOptions>;
}

const DEFAULTS: Required<PostgresOptions> = {
  unavailableMs: 60_000,
  lockWaitMs: 3_000,
  statementMs: 20_000,
  answerMs: 5_000,
  idleMs: 600_000,
  connections: 4,
};

/** How long a connection may take to be made, in milliseconds. */
const CONNECT_MS = 5_000;
/**
 * When the server asks an idle connection whether it lives, how often, and how many silent times it bears; and for how long it waits where
 * it said something that nobody takes.
 */
const KEEPALIVE =
  '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=25000';

/**
 * Takes an address apart: `postgres://user:password@host:port/database`, with `?schema=` (default `tutti`) and what libpq knows
 * (`sslmode`, `host` for a socket's folder). A password may also come from PGPASSWORD or a `.pgpass` file.
 * @throws {UsageError} without a word of the password.
 */
export function postgresAddress(url: string, options: PostgresOptions = {}): PostgresAddress {
  const { schema, ...parts } = partsOf(url);
  const all = { ...DEFAULTS, ...options };
  const database = parts.database ?? process.env['PGDATABASE'];
  if (database === undefined || database === '')
    throw new UsageError('store: the address of a database is postgres://user@host:5432/database');
  const host = parts.host ?? process.env['PGHOST'] ?? 'localhost';
  const port = host.startsWith('/') ? '' : `:${parts.port ?? process.env['PGPORT'] ?? '5432'}`;
  return {
    name: `PostgreSQL at ${host}${port}, database ${database}, schema ${schema}`,
    schema,
    options: all,
    client: {
      ...parts,
      host,
      database,
      application_name: `tutti process ${process.pid} on ${hostname()}`.slice(0, 63),
      connectionTimeoutMillis: CONNECT_MS,
      statement_timeout: all.statementMs,
      query_timeout: all.statementMs + all.answerMs,
      lock_timeout: all.statementMs,
      idle_in_transaction_session_timeout: all.idleMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      // Nothing counts before it is on the disk, whatever the database's own default is.
      options: `-c synchronous_commit=on ${KEEPALIVE}`,
    },
  };
}

interface Parts extends Pick<ClientConfig, 'user' | 'password' | 'port' | 'ssl'> {
  readonly host?: string;
  readonly database?: string;
  readonly schema: string;
}

function partsOf(url: string): Parts {
  let parsed;
  try {
    parsed = parse(url);
  } catch {
    // Its own error repeats the address, with the password in it.
    throw new UsageError('store: postgres://user@host:5432/database is expected');
  }
  const { schema = 'tutti' } = parsed as { schema?: string };
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw new UsageError('store: a schema of a-z, 0-9 and "_" is expected, at most 63');
  const { user, password, host, port, database, ssl } = parsed;
  return {
    schema,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(host === null || host === '' ? {} : { host }),
    ...(database === null || database === undefined ? {} : { database }),
    ...(port === null || port === undefined || port === '' ? {} : { port: Number(port) }),
    ...(ssl === undefined ? {} : { ssl: ssl as NonNullable<ClientConfig['ssl']> }),
  };
}
