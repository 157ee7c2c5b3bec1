import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** A Redis server of a test's own: a process on a port of this machine. */
export interface TestRedis {
  readonly url: string;
  /** Where it writes what it keeps. */
  readonly folder: string;
  /** Kills it: what it held is gone. */
  stop(): Promise<void>;
  start(): Promise<void>;
  destroy(): Promise<void>;
}

/** Where it runs; on this machine, as it is, without it. */
export interface TestPlace {
  readonly address?: string;
  /** What its command line begins with. */
  readonly on?: readonly string[];
  /** Whether it keeps every command (AOF) and what it holds (RDB), and logs all that it does; by default it keeps nothing. */
  readonly keeps?: boolean;
}

/** How long it may take to start, in milliseconds. */
const LIMIT_MS = 10_000;

/** Starts one. @returns in words what is missing on this machine, where it cannot be. */
export async function startTestRedis({
  address = '127.0.0.1',
  on = [],
  keeps = false,
}: TestPlace = {}): Promise<TestRedis | string> {
  const found = (process.env['PATH'] ?? '')
    .split(':')
    .some((folder) => existsSync(join(folder, 'redis-server')));
  if (!found) return 'needs redis: there is no redis-server on this machine';
  const folder = mkdtempSync(join(tmpdir(), 'tutti-redis-'));
  const port = await freePort();
  const url = `redis://${address}:${port}`;
  let server: ChildProcess | undefined;
  async function start(): Promise<void> {
    const keeping = keeps
      ? ['--save', '1 1', '--appendonly', 'yes', '--loglevel', 'debug', '--logfile', 'redis.log']
      : ['--save', '', '--appendonly', 'no'];
    const flags = ['--port', `${port}`, '--bind', address, '--protected-mode', 'no', ...keeping];
    const line = [...on, 'redis-server', ...flags, '--dir', folder];
    server = spawn(line[0] ?? '', line.slice(1), { stdio: 'ignore' });
    const deadline = Date.now() + LIMIT_MS;
    while (!(await answers(url))) {
      if (Date.now() > deadline) throw new Error('redis-server did not start');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  async function stop(): Promise<void> {
    const running = server;
    server = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await ended;
  }
  await start();
  return {
    url,
    folder,
    start,
    stop,
    async destroy() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return (await redis.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    redis.disconnect();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
