import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@tutti/base';
import { coordinatorProcess, TUTTI, type Process, type RoundLine } from '../cluster/coordinators.ts';
import { filmsTask, startServers, TAKE_OVER_MS, type Servers } from '../cluster/processes.ts';
import { openBalancer } from './balancer.ts';
import { clientHost, helper } from './hosts.ts';
import { doubledIn, Ledger } from './ledger.ts';
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
  const parts = await startParts(folder, servers, clients);
  const { ledger, victims, balancer } = parts;
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
    const final = await journalOf(servers, parts.store);
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

interface Parts {
  readonly store: string;
  readonly balancer: Awaited<ReturnType<typeof openBalancer>>;
  readonly ledger: Ledger;
  readonly victims: readonly Victim[];
  said(): string;
  close(): Promise<void>;
}

async function startParts(folder: string, servers: Servers, clients: number): Promise<Parts> {
  const { redis, postgres } = servers;
  const store = await postgres.newDatabase();
  const processOf = (name: string, role: 'gateway' | 'owner'): Promise<Process> =>
    coordinatorProcess(folder, name, {
      ...{ store, cluster: { redis: redis.url, roles: [role], takeOverMs: TAKE_OVER_MS } },
      tasks: [filmsTask(Math.max(4, clients - 4))],
    });
  const names = ['owner 1', 'owner 2', 'gateway 1', 'gateway 2'] as const;
  const processes = await Promise.all(
    names.map((name) => processOf(name, name.startsWith('owner') ? 'owner' : 'gateway')),
  );
  const ledger = new Ledger();
  const balancer = await openBalancer(processes.slice(2).map(({ url }) => url));
  const half = Math.ceil(clients / 2);
  const hosts = [0, 1].map((host) => clientHost(folder, balancer.url, host * half, half, ledger));
  const worker = helper([TUTTI, 'worker', '--config', processes[0]?.file ?? ''], () => undefined);
  await Promise.all(processes.map((one) => one.start()));
  for (const one of [worker, ...hosts]) one.start();
  return {
    ...{ store, balancer, ledger },
    victims: [
      ...processes.map((one, i) => processVictim(names[i] ?? '', one)),
      ...hosts.map((host, i) => ({ name: `clients ${i + 1}`, harm: () => host.restart() })),
      { name: 'worker', harm: () => worker.restart() },
      { name: 'redis', harm: () => restart(servers.redis) },
      {
        name: 'postgres',
        async harm(gently) {
          await postgres.stop(gently ? 'fast' : 'crash');
          await postgres.start();
        },
      },
    ],
    said: () => processes.map((one, i) => `--- ${names[i] ?? ''}\n${one.output()}`).join('\n'),
    async close() {
      await Promise.all([worker, ...hosts].map((one) => one.kill()));
      for (const one of processes) {
        one.signal('SIGKILL');
        await one.ended();
      }
      await balancer.close();
    },
  };
}

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

/** The rounds as PostgreSQL has them. */
async function journalOf({ postgres }: Servers, store: string): Promise<RoundLine[]> {
  const rows = await postgres.query(
    store,
    `select entry->'record' as record from tutti.journal
     where task = 'films' and entry->>'type' = 'round-committed' order by position`,
  );
  return rows.map(({ record }) => record as RoundLine);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
