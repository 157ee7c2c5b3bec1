import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A PostgreSQL server of a test's own: a new cluster in a temporary folder, on a socket that only this machine's users see. */
export interface TestServer {
  /** The address of a new, empty database. */
  newDatabase(): Promise<string>;
  /** Ends it as an operator does, or kills it (SIGKILL): its other processes end when they see that. */
  stop(how?: 'crash' | 'fast'): Promise<void>;
  start(): Promise<void>;
  /** Runs one statement in a database. */
  query(url: string, text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Ends it and removes its folder. */
  destroy(): Promise<void>;
}

/** How long it may take to start or stop, in milliseconds. */
const LIMIT_MS = 20_000;

/** What has to be free in memory for a cluster to go there, in bytes. */
const LEAST_FREE_BYTES = 2 ** 30;

/** Where a distribution keeps the server's programs; undefined where there are none. */
function programs(): string | undefined {
  const versions = '/usr/lib/postgresql';
  const found = existsSync(versions) ? readdirSync(versions).sort((a, b) => Number(b) - Number(a)) : [];
  return [
    ...found.map((version) => join(versions, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ].find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** As whom to run it: PostgreSQL refuses root. */
function account(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  return { uid: id('-u'), gid: id('-g') };
}

/** A folder in memory where there is room, since a new cluster is a thousand files. */
function newFolder(): string {
  const memory = '/dev/shm';
  if (!existsSync(memory)) return mkdtempSync(join(tmpdir(), 'tutti-pg-'));
  const { bavail, bsize } = statfsSync(memory);
  return mkdtempSync(join(bavail * bsize > LEAST_FREE_BYTES ? memory : tmpdir(), 'tutti-pg-'));
}

/** Starts one. @returns in words what is missing on this machine, where it cannot be. */
export async function startTestServer(): Promise<TestServer | string> {
  const bin = programs();
  if (bin === undefined) return 'needs postgresql: there is no initdb on this machine';
  let as;
  try {
    as = account();
  } catch {
    return 'needs postgresql: root cannot run it, and there is no user postgres';
  }
  const folder = newFolder();
  if (as.uid !== undefined && as.gid !== undefined) chownSync(folder, as.uid, as.gid);
  const data = join(folder, 'data');
  const quiet = {
    ...as,
    stdio: 'ignore',
    cwd: folder,
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' },
  } as const;
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'tutti', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
    quiet,
  );
  // Without fsync: these servers are killed, but never lose power, and the system keeps what they wrote.
  const settings = {
    listen_addresses: '',
    unix_socket_directories: folder,
    shared_buffers: '16MB',
    fsync: 'off',
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const addressOf = (database: string): string =>
    `postgres://tutti@/${database}?host=${encodeURIComponent(folder)}`;
  let server: ChildProcess | undefined;
  let made = 0;
  async function start(): Promise<void> {
    const deadline = Date.now() + LIMIT_MS;
    for (;;) {
      // Behind a crash it ends again as long as a process of the one before still lives.
      if (server === undefined || server.exitCode !== null)
        server = spawn(join(bin as string, 'postgres'), ['-D', data, ...flags], quiet);
      try {
        await query(addressOf('postgres'), 'select 1');
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
  }
  async function stop(how: 'crash' | 'fast' = 'fast'): Promise<void> {
    const running = server;
    server = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    if (how === 'fast') running.kill('SIGINT');
    else running.kill('SIGKILL');
    await ended;
  }
  await start();
  return {
    start,
    stop,
    query,
    async newDatabase() {
      const name = `test_${++made}`;
      await query(addressOf('postgres'), `create database ${name}`);
      return addressOf(name);
    },
    async destroy() {
      await stop('crash');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function query(url: string, text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Readonly<Record<string, unknown>>>(text);
    return rows;
  } finally {
    await client.end();
  }
}
