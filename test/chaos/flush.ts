import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { TaskStatus } from '@tutti/coordination';
import { startServers, TAKE_OVER_MS, type Servers } from '../cluster/processes.ts';
import { journalOf, ownerAmong, startParts, type ClusterParts } from './cluster-parts.ts';
import { watchFences } from './fences.ts';
import { endsOf, resultFrom, type HarmOptions, type HarmResult } from './harm.ts';
import { watchPhases, type Phases } from './phases.ts';

/** A cluster whose Redis loses its memory under load, at every instant of a round: by FLUSHALL, by a crash, and while an owner is paused. */

const CLIENTS = 10;
/** Words of a model that travels in several frames: it is lost in the middle of them, too. */
const LARGE = { items: 4_000, dimension: 32 };

const INSTANTS: readonly TaskStatus['phase'][] = ['train', 'share-keys', 'masked-input', 'unmask', 'sum'];
type Instant = TaskStatus['phase'];

/** How it loses it. */
const WAYS = ['flushed', 'killed', 'flushed while an owner is paused'] as const;
type Way = (typeof WAYS)[number];

/** How long an owner sleeps at most until another one has its task: that one may have failed lately, and waits ten seconds then. */
const LONGEST_PAUSE_MS = 8 * TAKE_OVER_MS;

/** @returns in words what is missing on this machine. */
export async function runFlush({ times = 30, onHarm }: HarmOptions = {}): Promise<HarmResult | string> {
  const started = Date.now();
  const servers = await startServers();
  if (typeof servers === 'string') return servers;
  const folder = mkdtempSync(join(tmpdir(), 'tutti-flush-'));
  const store = await servers.postgres.newDatabase();
  const options = { redis: servers.redis.url, store, clients: CLIENTS, model: LARGE };
  const parts = await startParts(folder, options);
  const { ledger, balancer } = parts;
  const phases = watchPhases(parts.processes[2]?.url ?? '', (reason) => ledger.reasons.add(reason));
  try {
    if (!(await ledger.untilRound(balancer.url, 1))) throw new Error(`no first round: ${parts.said()}`);
    const fences = await watchFences(servers.postgres, store);
    let stuck = 0;
    for (let time = 0; time < times && stuck === 0; time++) {
      const instant = INSTANTS[time % INSTANTS.length] as Instant;
      const way = WAYS[Math.floor(time / INSTANTS.length) % WAYS.length] as Way;
      const hit = await loseMemory(way, instant, { servers, parts, phases, store });
      await ledger.look(balancer.url);
      const before = ledger.rounds;
      const begun = Date.now();
      if (!(await ledger.untilRound(balancer.url, before + 2))) stuck++;
      onHarm?.(
        `${time + 1}/${times} ${way}, ${hit ? 'in' : 'after'} ${instant}: ${ledger.rounds} rounds, ${Date.now() - begun} ms`,
      );
    }
    if (stuck > 0) process.stderr.write(parts.said());
    await fences.read();
    const notes = [`${times} times`, `${fences.count} leases`];
    return resultFrom('flush', {
      ...{ started, ledger, stuck, notes, reasons: endsOf(ledger) },
      final: await journalOf(servers.postgres, store),
      twice: fences.twice,
    });
  } finally {
    phases.close();
    await parts.close();
    await servers.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Scene {
  readonly servers: Servers;
  readonly parts: ClusterParts;
  readonly phases: Phases;
  readonly store: string;
}

/** @returns whether it was lost in that phase. */
async function loseMemory(way: Way, instant: Instant, scene: Scene): Promise<boolean> {
  const { servers, phases } = scene;
  const { redis } = servers;
  if (way === 'flushed while an owner is paused') return flushWhilePaused(instant, scene);
  const connection = new Redis(redis.url, { maxRetriesPerRequest: 0 });
  connection.on('error', () => undefined);
  try {
    await connection.ping();
    const hit = await phases.until(instant);
    if (way === 'flushed') await connection.flushall();
    else await redis.stop();
    return hit;
  } finally {
    connection.disconnect();
    if (way === 'killed') await redis.start();
  }
}

async function epochOf({ servers, store }: Scene): Promise<unknown> {
  const [row] = await servers.postgres.query(
    store,
    `select epoch from tutti.leases where scope = 'task:films'`,
  );
  return row?.['epoch'];
}

/** The dangerous one: an owner sleeps while the memory is lost, another takes its task, and it wakes up. */
async function flushWhilePaused(instant: Instant, scene: Scene): Promise<boolean> {
  const { servers, parts, phases, store } = scene;
  const owner = await ownerAmong(parts.processes, servers.postgres, store);
  const hit = await phases.until(instant);
  owner?.signal('SIGSTOP');
  const connection = new Redis(servers.redis.url);
  await connection.flushall();
  connection.disconnect();
  const deadline = Date.now() + LONGEST_PAUSE_MS;
  for (const epoch = await epochOf(scene); (await epochOf(scene)) === epoch && Date.now() < deadline;)
    await new Promise((resolve) => setTimeout(resolve, 100));
  owner?.signal('SIGCONT');
  return hit && owner !== undefined;
}
