import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { filmsTask, startServers, type Servers } from '../cluster/processes.ts';
import type { UploadServer } from './upload-server.ts';

/**
 * Upload throughput of a coordinator, or of two gateways with an owner and Redis, against as many processes of bare socket.io: the same
 * frames from the same devices in real rounds, both sides in turn, all on the same cores. Each round's sum is compared first with what its
 * devices put in; one that differs ends the run.
 */

/** What a run is asked for. */
export interface UploadOptions {
  /** Two gateways, an owner, Redis and PostgreSQL, in place of one process. */
  readonly gateways: boolean;
  readonly devices: number;
  readonly rounds: number;
  readonly onRound?: (round: number, tutti: number, bare: number) => void;
}

/** MB (10⁶ bytes of frames) a second. */
interface Speeds {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** What it found. */
export interface UploadResult extends Omit<UploadOptions, 'onRound'> {
  readonly megabytesARound: number;
  readonly tutti: Speeds;
  readonly bare: Speeds;
  /** Of the paired rounds: what Tutti takes in as a share of what bare socket.io does. */
  readonly share: Speeds;
  /**
   * The same by processor time, devices and servers together: bare socket.io's for a round as a share of Tutti's. What others do on
   * these cores meanwhile is not in it.
   */
  readonly cpuShare: Speeds;
}

/** A table of MovieLens 1M: 3,706 rows of 32. */
const ITEMS = Array.from({ length: 3_706 }, (_, item) => `item-${item}`);
const HOSTS = 2;
const WARM_UP = 2;
const LIMIT_MS = 120_000;

/** @returns in words what is missing on this machine. */
export async function runUploads(options: UploadOptions): Promise<UploadResult | string> {
  const servers = options.gateways ? await startServers() : undefined;
  if (typeof servers === 'string') return servers;
  const running: Child[] = [];
  try {
    return await measure(options, servers, running);
  } finally {
    for (const { child } of running) child.kill('SIGKILL');
    await servers?.destroy();
  }
}

async function measure(
  { onRound, ...options }: UploadOptions,
  servers: Servers | undefined,
  running: Child[],
): Promise<UploadResult> {
  const { gateways, devices, rounds } = options;
  const tasks = [taskOf(devices)];
  const cluster = { redis: servers?.redis.url ?? '', store: (await servers?.postgres.newDatabase()) ?? '' };
  const serve = async (role: UploadServer['role']): Promise<Child & { url: string }> => {
    const child = childOf('upload-server.ts', [JSON.stringify({ role, tasks, ...cluster })]);
    running.push(child);
    return { ...child, url: (await child.next<{ url: string }>('url')).url };
  };
  const owner = gateways ? await serve('owner') : await serve('one');
  const entries = gateways ? [await serve('gateway'), await serve('gateway')] : [owner];
  const bares = await Promise.all(entries.map(() => serve('bare')));
  const each = devices / HOSTS;
  const hosts = Array.from({ length: HOSTS }, (_, host) => {
    const [entry, bare] = [entries, bares].map((all) => all[host % all.length]?.url ?? '');
    return childOf('upload-devices.ts', [entry ?? '', bare ?? '', `${host * each}`, `${each}`]);
  });
  running.push(...hosts);
  const speeds: Record<Side, number[]> = { tutti: [], bare: [] };
  const costs: Record<Side, number[]> = { tutti: [], bare: [] };
  let bytes = 0;
  for (let round = 0; round < WARM_UP + rounds; round++) {
    const held = await Promise.all(hosts.map((host) => host.next<Held>('held')));
    bytes = held.reduce((sum, one) => sum + one.bytes, 0);
    const both: Record<Side, Uploaded> = { tutti: NOTHING, bare: NOTHING };
    // In turn; a round goes on with its next phase as soon as everybody has uploaded, so the other side comes before.
    for (const side of ['bare', 'tutti'] as const) both[side] = await uploadAll(hosts, side);
    const { sum } = await owner.next<{ sum: string }>('sum');
    if (sum !== digestOf(held)) throw new Error(`round ${round + 1}: the sum is not that of its inputs`);
    if (round < WARM_UP) continue;
    for (const side of ['tutti', 'bare'] as const) {
      speeds[side].push(bytes / 1e3 / both[side].ms);
      costs[side].push(both[side].cpuMs);
    }
    const [tutti = 0, bare = 0] = [speeds.tutti.at(-1), speeds.bare.at(-1)];
    onRound?.(round + 1 - WARM_UP, tutti, bare);
  }
  const shares = speeds.tutti.map((speed, i) => speed / (speeds.bare[i] as number));
  const cpuShares = costs.bare.map((cost, i) => cost / (costs.tutti[i] as number));
  return {
    ...{ ...options, megabytesARound: bytes / 1e6 },
    ...{ tutti: spreadOf(speeds.tutti), bare: spreadOf(speeds.bare), share: spreadOf(shares) },
    cpuShare: spreadOf(cpuShares),
  };
}

type Side = 'tutti' | 'bare';

/** What a host keeps back: the sum of its devices' inputs, and the bytes of their frames. */
interface Held {
  readonly held: Uint32Array;
  readonly bytes: number;
}

/** What an upload of all devices took, from the word to the last acknowledgement. */
interface Uploaded {
  readonly ms: number;
  /** Of all processes here. */
  readonly cpuMs: number;
}
const NOTHING: Uploaded = { ms: 0, cpuMs: 0 };

async function uploadAll(hosts: readonly Child[], side: Side): Promise<Uploaded> {
  const [cpu, began] = [cpuMsOf(process.pid), performance.now()];
  for (const { child } of hosts) child.send(side);
  await Promise.all(hosts.map((host) => host.next('done')));
  const ms = performance.now() - began;
  return { ms, cpuMs: cpuMsOf(process.pid) - cpu };
}

/** Processor time of a process and of those that it started. */
function cpuMsOf(pid: number): number {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).reduce((sum, thread) => {
    const own = Number(readFileSync(`${folder}/${thread}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
    const children = readFileSync(`${folder}/${thread}/children`, 'latin1').trim().split(' ').filter(Boolean);
    return children.reduce((all, child) => all + cpuMsOf(Number(child)), sum + own);
  }, 0);
}

function digestOf(held: readonly Held[]): string {
  const sum = new Uint32Array(held[0]?.held.length ?? 0);
  for (const one of held) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (one.held[i] ?? 0);
  const low = sum.map((word) => word & 0xffffff);
  return createHash('sha256').update(new Uint8Array(low.buffer)).digest('hex');
}

function taskOf(devices: number): ReturnType<typeof filmsTask> {
  const deadlines = { trainMs: 60_000, shareKeysMs: 60_000, maskedInputMs: 60_000, unmaskMs: 60_000 };
  return filmsTask(devices, {
    ...{ catalogue: { ids: ITEMS }, model: { family: 'mf', dimension: 32 }, rounds: 100_000 },
    round: { cohort: devices, smallestCohort: devices, overselection: 1, selectionMs: 300, deadlines },
  });
}

function spreadOf(values: readonly number[]): Speeds {
  const sorted = [...values].sort((a, b) => a - b);
  const [median = 0, least = 0, most = 0] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)];
  return { median, least, most };
}

/** A process that talks to this one. */
interface Child {
  readonly child: ChildProcess;
  /** The next message that has such a field, in order. */
  next<Message>(field: string): Promise<Message>;
}

function childOf(file: string, args: readonly string[]): Child {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
    execArgv: process.execArgv,
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const waiting: object[] = [];
  let wake: () => void = () => undefined;
  child.on('message', (message: object) => {
    waiting.push(message);
    wake();
  });
  child.once('exit', (code, signal) => {
    waiting.push({ failed: `${file} ended: ${signal ?? code}` });
    wake();
  });
  return {
    child,
    async next<Message>(field: string): Promise<Message> {
      const deadline = performance.now() + LIMIT_MS;
      for (;;) {
        const failed = waiting.find((message) => 'failed' in message);
        if (failed !== undefined) throw new Error(JSON.stringify(failed));
        const at = waiting.findIndex((message) => field in message);
        if (at >= 0) return waiting.splice(at, 1)[0] as Message;
        const left = deadline - performance.now();
        if (left <= 0) throw new Error(`no ${field} of ${file} in ${LIMIT_MS} ms`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
  };
}
