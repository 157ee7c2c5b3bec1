import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestRedis, type TestRedis } from '@tutti/cluster-redis/testing';
import { startTestServer, type TestServer } from '@tutti/storage-postgres/testing';
import { coordinatorProcess, TUTTI, type Process } from '../cluster/coordinators.ts';
import { filmsTask, TAKE_OVER_MS } from '../cluster/processes.ts';
import { journalOf, ownerAmong } from './cluster-parts.ts';
import { watchFences } from './fences.ts';
import { endsOf, resultFrom, type HarmOptions, type HarmResult } from './harm.ts';
import { clientHost, helper, type Helper } from './hosts.ts';
import { undoAtEnd } from './leaving.ts';
import { Ledger, STUCK_MS } from './ledger.ts';
import { openNetwork, type Network } from './network.ts';

/**
 * A cluster on hosts made of network namespaces, between which links are cut without a word, both ways or one, and heal again. Each of its
 * three gateways has a third of the clients; two of them are owners, too, so that an owner that is cut off from Redis and PostgreSQL goes on
 * with clients of its own.
 */

/** Clients of each gateway: enough for a round. */
const CLIENTS_EACH = 4;
/** How long a link is cut, in milliseconds: longer than any patience of connections, and between a lost process and that. */
const CUTS_MS = [15_000, 2.5 * TAKE_OVER_MS] as const;
/** How long links are slow, in milliseconds. */
const SLOW_MS = 20_000;

const HOSTS = [
  'redis',
  'postgres',
  'worker',
  'one',
  'two',
  'gate',
  'near-one',
  'near-two',
  'near-gate',
] as const;
type Host = (typeof HOSTS)[number];

/** What is cut, given where the owner is. */
interface Cut {
  readonly name: string;
  /** Pairs of hosts: nothing that the first says reaches the second. */
  links(owner: Host): readonly (readonly [Host, Host])[];
  /** For how long, where it is another time than for all; in milliseconds. */
  readonly ms?: number;
}

const both = (a: Host, b: Host): [Host, Host][] => [
  [a, b],
  [b, a],
];

const CUTS: readonly Cut[] = [
  { name: 'clients from their gateway', links: () => both('near-gate', 'gate') },
  { name: 'a gateway from Redis', links: () => both('gate', 'redis') },
  {
    name: 'the owner from Redis and PostgreSQL, not from its clients',
    links: (owner) => [...both(owner, 'redis'), ...both(owner, 'postgres')],
  },
  { name: 'a worker from Redis', links: () => both('worker', 'redis') },
  { name: 'the owner from PostgreSQL', links: (owner) => both(owner, 'postgres') },
  { name: 'a gateway from PostgreSQL', links: () => both('gate', 'postgres') },
  {
    name: 'everybody from Redis',
    links: () => HOSTS.flatMap((host) => (host === 'redis' ? [] : both(host, 'redis'))),
  },
  { name: 'what the owner says to Redis', links: (owner) => [[owner, 'redis']] },
  { name: 'what Redis says to the owner', links: (owner) => [['redis', owner]] },
  { name: 'what PostgreSQL says to the owner', links: (owner) => [['postgres', owner]] },
  { name: 'what a gateway says to its clients', links: () => [['gate', 'near-gate']] },
  // A socket is given up after 45 s of silence.
  {
    name: 'clients from their gateway, until both have given up',
    links: () => both('near-gate', 'gate'),
    ms: 60_000,
  },
];

/** @param options `times`: cuts, each kind for a long and a short time; links are slow once at the end. @returns in words what is missing here. */
export async function runPartition(options: HarmOptions = {}): Promise<HarmResult | string> {
  const network = openNetwork(HOSTS);
  if (typeof network === 'string') return network;
  const folder = mkdtempSync(join(tmpdir(), 'tutti-partition-'));
  const undo: (() => Promise<void> | void)[] = [
    () => network.destroy(),
    () => rmSync(folder, { recursive: true, force: true }),
  ];
  undoAtEnd(() => network.destroy());
  try {
    const redis = await startTestRedis({ address: network.addressOf('redis'), on: network.on('redis') });
    if (typeof redis === 'string') return redis;
    undo.unshift(() => redis.destroy());
    const [namespace, address] = [network.namespaceOf('postgres'), network.addressOf('postgres')];
    const postgres = await startTestServer({ namespace, address });
    if (typeof postgres === 'string') return postgres;
    undo.unshift(() => postgres.destroy());
    const scene = await startScene({ network, folder, redis, postgres });
    undo.unshift(() => scene.close());
    return await cutAndHeal(scene, options);
  } finally {
    for (const one of undo) await one();
  }
}

interface Scene {
  readonly network: Network;
  readonly postgres: TestServer;
  /** As this process reaches it. */
  readonly store: string;
  readonly ledger: Ledger;
  readonly processes: Readonly<Record<'one' | 'two' | 'gate', Process>>;
  said(): string;
  close(): Promise<void>;
}

async function startScene(on: {
  readonly network: Network;
  readonly folder: string;
  readonly redis: TestRedis;
  readonly postgres: TestServer;
}): Promise<Scene> {
  const { network, folder, redis, postgres } = on;
  const store = await postgres.newDatabase();
  const database = /@\/(\w+)/.exec(store)?.[1] ?? '';
  const processOf = (host: Host, roles: ('gateway' | 'owner')[]): Promise<Process> =>
    coordinatorProcess(
      folder,
      host,
      {
        store: `postgres://tutti@${network.addressOf('postgres')}:5432/${database}`,
        cluster: { redis: redis.url, roles, takeOverMs: TAKE_OVER_MS },
        tasks: [filmsTask(2 * CLIENTS_EACH - 2)],
      },
      { address: network.addressOf(host), on: network.on(host) },
    );
  const processes = {
    one: await processOf('one', ['gateway', 'owner']),
    two: await processOf('two', ['gateway', 'owner']),
    gate: await processOf('gate', ['gateway']),
  };
  const ledger = new Ledger();
  const all = Object.values(processes);
  const hosts: Helper[] = all.map(({ url }, i) => {
    const host = `near-${Object.keys(processes)[i] ?? ''}`;
    return clientHost(folder, url, i * CLIENTS_EACH, CLIENTS_EACH, ledger, network.on(host));
  });
  const worker = helper(
    [TUTTI, 'worker', '--config', processes.one.file],
    () => undefined,
    network.on('worker'),
  );
  async function close(): Promise<void> {
    await Promise.all([worker, ...hosts].map((one) => one.kill()));
    for (const one of all) {
      one.signal('SIGKILL');
      await one.ended();
    }
  }
  try {
    await Promise.all(all.map((one) => one.start()));
  } catch (error) {
    await close();
    throw error;
  }
  for (const one of [worker, ...hosts]) one.start();
  return {
    ...{ network, postgres, store, ledger, processes, close },
    said: () => all.map((one, i) => `--- ${Object.keys(processes)[i] ?? ''}\n${one.output()}`).join('\n'),
  };
}

async function cutAndHeal(scene: Scene, { only = '', onHarm, ...options }: HarmOptions): Promise<HarmResult> {
  const started = Date.now();
  const { network, postgres, store, ledger, processes } = scene;
  if (!(await ledger.untilRound(processes.gate.url, 1)) || (await untilAllAreThere(scene)) !== '')
    throw new Error(`no first round with everybody: ${scene.said()}`);
  const fences = await watchFences(postgres, store);
  const cuts = CUTS.filter(({ name }) => name.includes(only));
  const { times = cuts.length * CUTS_MS.length } = options;
  const notes: string[] = [];
  let stuck = 0;
  async function during(name: string, ms: number): Promise<void> {
    const before = await written(scene);
    await pause(ms, scene);
    const meanwhile = (await written(scene)) - before;
    const there = await clientsThere(scene);
    network.heal();
    const healed = Date.now();
    const isOn = await untilWritten(scene, before + meanwhile + 2);
    const onMs = Date.now() - healed;
    const missing = isOn ? await untilAllAreThere(scene) : 'no round is made';
    if (missing !== '') stuck++;
    await fences.read();
    const told = `${name}, ${ms / 1_000} s: ${meanwhile} rounds meanwhile and ${there} clients in the end, two more ${seconds(onMs)} after, everybody there ${seconds(Date.now() - healed)} after`;
    notes.push(told);
    onHarm?.(missing === '' ? told : `STUCK (${missing}) ${told}`);
  }
  for (let time = 0; time < times && stuck === 0; time++) {
    const cut = cuts[time % cuts.length] as Cut;
    const owner = await ownerOf(scene);
    for (const [from, to] of cut.links(owner)) network.cut(from, to);
    await during(cut.name, cut.ms ?? CUTS_MS[Math.floor(time / cuts.length) % CUTS_MS.length] ?? CUTS_MS[0]);
  }
  if (stuck === 0 && only === '') await during(`everybody slow (${network.slow()})`, SLOW_MS);
  if (stuck > 0) process.stderr.write(scene.said());
  await look(scene);
  return resultFrom('partition', {
    ...{ started, ledger, stuck, notes: [...notes, `${fences.count} leases`], reasons: endsOf(ledger) },
    final: await journalOf(postgres, store),
    twice: fences.twice,
  });
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

async function ownerOf({ processes, postgres, store }: Scene): Promise<'one' | 'two'> {
  const owner = await ownerAmong(Object.values(processes), postgres, store);
  return owner === processes.two ? 'two' : 'one';
}

const written = async ({ postgres, store }: Scene): Promise<number> =>
  (await journalOf(postgres, store)).length;

/** What gateways tell now; one that is cut off tells what it knew. */
const look = async ({ ledger, processes }: Scene): Promise<void> => {
  await Promise.all(Object.values(processes).map(({ url }) => ledger.look(url)));
};

async function pause(ms: number, scene: Scene): Promise<void> {
  for (const end = Date.now() + ms; Date.now() < end;) {
    await look(scene);
    await new Promise((resolve) => setTimeout(resolve, Math.min(200, Math.max(0, end - Date.now()))));
  }
}

async function untilWritten(scene: Scene, rounds: number): Promise<boolean> {
  for (const end = Date.now() + STUCK_MS; Date.now() < end;) {
    await look(scene);
    if ((await written(scene)) >= rounds) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

const connectedAt = async ({ url }: Process): Promise<number> => {
  const answer = await fetch(`${url}/api/v1/tasks/films`, { signal: AbortSignal.timeout(3_000) });
  return ((await answer.json()) as { connected?: number }).connected ?? 0;
};

/** Clients that the task's owner knows of. */
async function clientsThere(scene: Scene): Promise<number> {
  return connectedAt(scene.processes[await ownerOf(scene)]).catch(() => 0);
}

/** Waits until every client is connected, as each gateway tells it, without anybody doing something for it. @returns who is not, in the end. */
async function untilAllAreThere({ processes }: Scene): Promise<string> {
  let missing = '';
  for (const end = Date.now() + STUCK_MS; Date.now() < end;) {
    const told = await Promise.all(
      Object.entries(processes).map(async ([name, one]) => {
        const connected = await connectedAt(one).catch(() => 0);
        return connected === 3 * CLIENTS_EACH ? [] : [`${name} tells of ${connected} clients`];
      }),
    );
    missing = told.flat().join(', ');
    if (missing === '') return '';
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return missing;
}
