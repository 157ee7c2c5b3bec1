import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@tutti/base';
import type { Process } from '../cluster/coordinators.ts';
import { startServers, TAKE_OVER_MS, type Servers } from '../cluster/processes.ts';
import { journalOf, PROCESS_NAMES, startParts, type ClusterParts } from './cluster-parts.ts';
import { doubledIn } from './ledger.ts';
import type { ChaosOptions, ChaosResult } from './chaos.ts';

/**
 * Two gateways behind a load balancer, two owners, a worker, Redis, PostgreSQL, and two processes full of clients. One of them is killed at a time,
 * or paused for longer than a lease lasts, and started again; at the end it is counted what was lost, doubled or stuck.
 */

/** Longest time between two kills, in milliseconds. */
const LONGEST_LIFE_MS = 2_500;
/** After so many kills everybody is left alone until a round is committed: they must get on. */
const REST_EVERY = 4;
/** How long a paused process sleeps: others have taken its tasks over when it wakes up. */
const PAUSE_MS = 2.5 * TAKE_OVER_MS;

export async function runClusterChaos(
  options: ChaosOptions & { readonly servers?: Servers },
): Promise<ChaosResult> {
  const started = Date.now();
  const servers = options.servers ?? (await startServers());
  if (typeof servers === 'string') throw new Error(servers);
  const folder = mkdtempSync(join(tmpdir(), 'tutti-cluster-chaos-'));
  const random = seededRandom(options.seed).fork('chaos');
  const clients = options.clients ?? 10;
  const store = await servers.postgres.newDatabase();
  const parts = await startParts(folder, { redis: servers.redis.url, store, clients });
  const { ledger, balancer } = parts;
  const victims = victimsOf(parts, servers);
  let kills = 0;
  let stuck = 0;
  try {
    if (!(await ledger.untilRound(balancer.url, 1))) throw new Error(`no first round: ${parts.said()}`);
    while (kills < options.kills) {
      await sleep(random.int(LONGEST_LIFE_MS));
      await ledger.look(balancer.url);
      const victim = victims[random.int(victims.length)] as Victim;
      await victim.harm(random.int(2) === 0);
      kills++;
      await ledger.look(balancer.url);
      options.onKill?.(kills, ledger.rounds, victim.name);
      if (kills % REST_EVERY !== 0) continue;
      if (!(await ledger.untilRound(balancer.url, ledger.rounds + 1))) stuck++;
    }
    if (!(await ledger.untilRound(balancer.url, ledger.rounds + 1))) stuck++;
    if (stuck > 0) process.stderr.write(parts.said());
    const final = await journalOf(servers.postgres, parts.store);
    return {
      ...{ kills, rounds: final.length, stuck, lost: ledger.lostIn(final), doubled: doubledIn(final) },
      ...{ seed: options.seed, seconds: (Date.now() - started) / 1_000 },
    };
  } finally {
    await parts.close();
    await servers.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Something that can be killed. */
interface Victim {
  readonly name: string;
  /** Kills it and starts it again; or, `gently`, pauses or stops it first. */
  harm(gently: boolean): Promise<void>;
}

const victimsOf = ({ processes, hosts, worker }: ClusterParts, { redis, postgres }: Servers): Victim[] => [
  ...processes.map((one, i) => processVictim(PROCESS_NAMES[i] ?? '', one)),
  ...hosts.map((host, i) => ({ name: `clients ${i + 1}`, harm: () => host.restart() })),
  { name: 'worker', harm: () => worker.restart() },
  { name: 'redis', harm: () => restart(redis) },
  {
    name: 'postgres',
    async harm(gently) {
      await postgres.stop(gently ? 'fast' : 'crash');
      await postgres.start();
    },
  },
];

async function restart(redis: Servers['redis']): Promise<void> {
  await redis.stop();
  await redis.start();
}

function processVictim(name: string, one: Process): Victim {
  return {
    name,
    async harm(gently) {
      if (gently) {
        one.signal('SIGSTOP');
        await sleep(PAUSE_MS);
        one.signal('SIGCONT');
        return;
      }
      one.signal('SIGKILL');
      await one.ended();
      await one.start();
    },
  };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
