import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** Servers of tests: where they run, as whom, and how they are started and ended. */

/** How long one may take to start or stop, in milliseconds. */
export const LIMIT_MS = 20_000;

/** What has to be free in memory for a cluster to go there, in bytes. */
const LEAST_FREE_BYTES = 2 ** 30;

/** What servers of a test need of this machine. */
export interface Ground {
  /** A folder that the server's user may write to. */
  readonly folder: string;
  /** A folder in it, for the server's user too. */
  makeFolder(path: string): void;
  /** Runs one of the server's programs to its end. */
  run(program: string, args: readonly string[]): void;
  /** Starts one. */
  spawn(program: string, args: readonly string[]): ChildProcess;
  /** Removes the folder. */
  remove(): void;
}

/** @param namespace of the network in which servers run. @returns in words what is missing on this machine. */
export function newGround(namespace?: string): Ground | string {
  const bin = programs();
  if (bin === undefined) return 'needs postgresql: there is no initdb on this machine';
  let as: ReturnType<typeof account>;
  try {
    as = account();
  } catch {
    return 'needs postgresql: root cannot run it, and there is no user postgres';
  }
  const folder = newFolder();
  if (as.uid !== undefined && as.gid !== undefined) chownSync(folder, as.uid, as.gid);
  const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' };
  const quiet = { ...as, stdio: 'ignore', cwd: folder, env } as const;
  return {
    folder,
    makeFolder(path) {
      mkdirSync(path);
      if (as.uid !== undefined && as.gid !== undefined) chownSync(path, as.uid, as.gid);
    },
    run: (program, args) => void execFileSync(join(bin, program), args, quiet),
    spawn(program, args) {
      const { uid, gid, ...rest } = { uid: undefined, gid: undefined, ...quiet };
      if (namespace === undefined) return spawn(join(bin, program), args, quiet);
      // Into the namespace comes root alone.
      const enter = [`--net=${namespace}`, '-S', `${uid ?? 0}`, '-G', `${gid ?? 0}`, '--'];
      return spawn('nsenter', [...enter, join(bin, program), ...args], rest);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

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

/** Where folders are in memory. */
const MEMORY = '/dev/shm';

/** Names the process, so that another one can remove what it left. */
const memoryPrefix = (pid: number): string => `tutti-pg-${pid}-`;

/** A folder in memory where there is room, since a new cluster is a thousand files. */
function newFolder(): string {
  if (existsSync(MEMORY)) {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize > LEAST_FREE_BYTES) return mkdtempSync(join(MEMORY, memoryPrefix(process.pid)));
  }
  return mkdtempSync(join(tmpdir(), 'tutti-pg-'));
}

/** Folders in memory of the servers that a process started and did not destroy. */
export function memoryFoldersOf(pid: number): string[] {
  if (!existsSync(MEMORY)) return [];
  const names = readdirSync(MEMORY).filter((name) => name.startsWith(memoryPrefix(pid)));
  return names.map((name) => join(MEMORY, name));
}

/** One server over a folder of data. */
export interface Server {
  /** The folder of its socket. */
  readonly socket: string;
  addressOf(database: string): string;
  start(): Promise<void>;
  /** Ends it as an operator does, or kills it (SIGKILL): its other processes end when they see that. */
  stop(how?: 'crash' | 'fast'): Promise<void>;
}

/** Initializes a folder of data. */
export function initialize(ground: Ground, data: string): void {
  ground.run('initdb', ['-D', data, '-U', 'tutti', '-A', 'trust', '-E', 'UTF8', '--no-sync']);
}

/** A server over `data`, which listens on a socket in `socket`. @param more settings. */
export function serverOf(
  ground: Ground,
  { data, socket, more = {} }: { data: string; socket: string; more?: Readonly<Record<string, string>> },
): Server {
  // Without fsync: these servers are killed, but never lose power, and the system keeps what they wrote.
  const settings = {
    listen_addresses: '',
    unix_socket_directories: socket,
    shared_buffers: '16MB',
    fsync: 'off',
    // In the folder of data, and removed with it: a server that is killed leaves what it has in /dev/shm.
    dynamic_shared_memory_type: 'mmap',
    ...more,
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const addressOf = (database: string): string =>
    `postgres://tutti@/${database}?host=${encodeURIComponent(socket)}`;
  let server: ChildProcess | undefined;
  return {
    socket,
    addressOf,
    async start() {
      const deadline = Date.now() + LIMIT_MS;
      for (;;) {
        // Behind a crash it ends again as long as a process of the one before still lives.
        if (server === undefined || server.exitCode !== null)
          server = ground.spawn('postgres', ['-D', data, ...flags]);
        try {
          await query(addressOf('postgres'), 'select 1');
          return;
        } catch (error) {
          if (Date.now() > deadline) throw error;
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
      }
    },
    async stop(how = 'fast') {
      const running = server;
      server = undefined;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const ended = new Promise((resolve) => running.once('exit', resolve));
      running.kill(how === 'fast' ? 'SIGINT' : 'SIGKILL');
      await ended;
    },
  };
}

/** Runs one statement in a database. */
export async function query(
  url: string,
  text: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
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
