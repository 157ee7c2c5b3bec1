import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket as RawSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openStranger } from './stranger.ts';

/**
 * A deployed coordinator with a cohort of real clients in processes of their own: rounds without anybody else, among thousands of
 * greeted sockets at rest, and among thousands of connections that are half open, with the coordinator's memory at each.
 */

/** What a run is asked for. */
export interface LoadOptions {
  /** Clients of the cohort. */
  readonly cohort: number;
  /** Sockets that are greeted and then rest. */
  readonly resting: number;
  /** Connections that say half of a request, of a handshake or of a frame, and no more. */
  readonly halfOpen: number;
  /** Rounds that each figure is the median of. */
  readonly rounds: number;
  readonly onStep?: (step: string) => void;
}

/** What it found. Memory is what the coordinator's process holds, in MB of 10⁶ bytes. */
export interface LoadResult extends Omit<LoadOptions, 'onStep'> {
  /** Median seconds from a round's selection to its end. */
  readonly roundSeconds: {
    readonly alone: number;
    readonly amongResting: number;
    readonly amongHalfOpen: number;
  };
  /** Clients reported in the smallest of each. */
  readonly fewestReported: {
    readonly alone: number;
    readonly amongResting: number;
    readonly amongHalfOpen: number;
  };
  readonly memory: {
    readonly aloneMB: number;
    readonly restingMB: number;
    readonly kBEachResting: number;
    readonly halfOpenPeakMB: number;
    readonly afterMB: number;
  };
  /** Half-open connections that the coordinator has ended by itself, and after how many seconds the last one. */
  readonly ended: number;
  readonly endedAfterSeconds: number;
}

const FILMS = Array.from({ length: 60 }, (_, film) => `film-${film}`);
/** Client processes. */
const HOSTS = 2;
/** Clients for each one that a round takes: who misses a round comes late to the next. */
const SPARE = 1.2;
const ROUND_MS = 120_000;
const AT_A_TIME = 50;
const ENDED_MS = 90_000;

const UPGRADE = [
  'GET /v1/socket/?EIO=4&transport=websocket HTTP/1.1',
  ...['host: x', 'upgrade: websocket', 'connection: Upgrade', 'sec-websocket-version: 13'],
  'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
];
/** The head of a masked binary frame of 1,000 bytes, which do not come. */
const HALF_A_FRAME = Buffer.from([0x82, 0x80 | 126, 0x03, 0xe8, 1, 2, 3, 4]);

/** What half-open connections say, in turn. */
const HALVES: readonly string[] = [
  'GET /v1/status HTTP/1.1\r\nhost:',
  [...UPGRADE, '', ''].join('\r\n'),
  'POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
];

/** What some rounds came to. */
interface Rounds {
  readonly seconds: number;
  readonly fewest: number;
}

interface Round {
  readonly durationMs: number;
  readonly reported: number;
}

/** Runs all of it on this machine; Linux, because of how memory is read. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { cohort, resting, halfOpen, rounds, onStep = () => undefined } = options;
  const folder = mkdtempSync(join(tmpdir(), 'tutti-load-'));
  const config = join(folder, 'config.json');
  writeFileSync(config, JSON.stringify(configOf(`lmdb:${join(folder, 'store')}`, cohort)));
  const { child, url } = await startCoordinator(config);
  const hosts = Array.from({ length: HOSTS }, (_, host) =>
    startHost(url, folder, host, Math.ceil((SPARE * cohort) / HOSTS)),
  );
  const peers: { socket: RawSocket; ended: Promise<number> }[] = [];
  const strangers: { close(): void }[] = [];
  const megabytes = (): number => residentOf(child) / 1e6;
  try {
    await measured(url, 1);
    onStep(`${cohort} clients`);
    const alone = await measured(url, rounds);
    const aloneMB = megabytes();
    while (strangers.length < resting) {
      const some = Math.min(AT_A_TIME, resting - strangers.length);
      strangers.push(...(await Promise.all(Array.from({ length: some }, () => openStranger(url)))));
    }
    await sleep(2_000);
    const restingMB = megabytes();
    onStep(`${resting} sockets at rest`);
    const amongResting = await measured(url, rounds);
    for (let i = 0; i < halfOpen; i++) {
      peers.push(openHalf(url, i));
      if (i % AT_A_TIME === 0) await sleep(5);
    }
    const began = Date.now();
    onStep(`${halfOpen} half-open connections`);
    let halfOpenPeakMB = megabytes();
    const watch = setInterval(() => (halfOpenPeakMB = Math.max(halfOpenPeakMB, megabytes())), 100);
    const amongHalfOpen = await measured(url, rounds);
    const times = await Promise.all(
      peers.map(({ ended }) => Promise.race([ended, sleep(ENDED_MS, undefined, { ref: false })])),
    );
    clearInterval(watch);
    const each = (figure: (rounds: Rounds) => number): LoadResult['roundSeconds'] => ({
      alone: figure(alone),
      amongResting: figure(amongResting),
      amongHalfOpen: figure(amongHalfOpen),
    });
    const ended = times.filter((at) => at !== undefined);
    onStep(`${ended.length} of them ended`);
    await measured(url, 1);
    return {
      ...{ cohort, resting, halfOpen, rounds },
      roundSeconds: each(({ seconds }) => seconds),
      fewestReported: each(({ fewest }) => fewest),
      memory: {
        ...{ aloneMB, restingMB, kBEachResting: ((restingMB - aloneMB) * 1e3) / Math.max(1, resting) },
        ...{ halfOpenPeakMB, afterMB: megabytes() },
      },
      ended: ended.length,
      endedAfterSeconds: (Math.max(began, ...ended) - began) / 1e3,
    };
  } finally {
    for (const { socket } of peers) socket.destroy();
    for (const stranger of strangers) stranger.close();
    for (const process of [...hosts, child]) process.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

function configOf(store: string, cohort: number): unknown {
  const deadlines = { trainMs: 20_000, shareKeysMs: 10_000, maskedInputMs: 10_000, unmaskMs: 10_000 };
  return {
    listen: { port: 0 },
    store,
    log: { format: 'json' },
    tasks: [
      {
        name: 'films',
        ...{ catalogue: { ids: FILMS }, meanHistory: 6, model: { family: 'mf', dimension: 8 } },
        rounds: 100_000,
        round: {
          ...{
            cohort,
            smallestCohort: Math.min(16, cohort),
            overselection: 1,
            selectionMs: 5_000,
            deadlines,
          },
        },
        ...(cohort < 16 ? { insecureSmallCohort: true } : {}),
      },
    ],
  };
}

async function startCoordinator(config: string): Promise<{ child: ChildProcess; url: string }> {
  const bin = fileURLToPath(import.meta.resolve('@tutti/cli/package.json')).replace(
    /package\.json$/,
    'bin/tutti.js',
  );
  const child = spawn(process.execPath, [bin, 'coordinator', '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000)));
  for (const until = Date.now() + 30_000; Date.now() < until; await sleep(50)) {
    const url = /http:\/\/[\w.]+:\d+/.exec(said)?.[0];
    if (url !== undefined) return { child, url };
    if (child.exitCode !== null) break;
  }
  child.kill('SIGKILL');
  throw new Error(`the coordinator did not start: ${said}`);
}

function startHost(url: string, folder: string, host: number, clients: number): ChildProcess {
  const script = fileURLToPath(new URL('../chaos/client-host.ts', import.meta.url));
  const [store, first] = [join(folder, `host-${host}`), String(host * clients)];
  return fork(script, [url, store, first, String(clients)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** A connection that says half of something; `ended` is when the coordinator ended it. */
function openHalf(url: string, number: number): { socket: RawSocket; ended: Promise<number> } {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  const half = HALVES[number % HALVES.length] as string;
  socket.write(half);
  // Every other upgraded one begins a frame too.
  if (half.endsWith('\r\n\r\n') && number % 2 === 0) socket.once('data', () => socket.write(HALF_A_FRAME));
  socket.resume();
  return { socket, ended: new Promise((resolve) => socket.once('close', () => resolve(Date.now()))) };
}

/** Median seconds of `count` rounds that begin from now on, and the clients in the smallest of their sums. */
async function measured(url: string, count: number): Promise<Rounds> {
  // The next one has begun already.
  const from = (await roundsOf(url)).length + 1;
  let rounds: Round[] = [];
  for (let deadline = Date.now() + ROUND_MS; rounds.length < count; await sleep(50)) {
    const now = (await roundsOf(url)).slice(from, from + count);
    if (now.length > rounds.length) deadline = Date.now() + ROUND_MS;
    if (Date.now() > deadline) throw new Error(`no round in ${ROUND_MS / 1e3} s`);
    rounds = now;
  }
  const times = rounds.map(({ durationMs }) => durationMs / 1e3).sort((a, b) => a - b);
  return {
    seconds: times[times.length >> 1] as number,
    fewest: Math.min(...rounds.map(({ reported }) => reported)),
  };
}

async function roundsOf(url: string): Promise<Round[]> {
  const response = await fetch(`${url}/v1/tasks/films/rounds`, { signal: AbortSignal.timeout(20_000) });
  return ((await response.json()) as { rounds: Round[] }).rounds;
}

/** Bytes that a process holds in memory. */
const residentOf = ({ pid }: ChildProcess): number =>
  1_024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
