import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startTestRedis, type TestRedis } from '@tutti/cluster-redis/testing';
import { startTestServer, type TestServer } from '@tutti/storage-postgres/testing';
import { Redis } from 'ioredis';
import { roundsOf, type RoundLine } from '../cluster/coordinators.ts';
import { filmsTask } from '../cluster/processes.ts';
import type { Pattern } from '../memory/scan.ts';
import { inputPatterns, SCAN_FILMS, sumPatterns, toldIn } from './scan-inputs.ts';
import { familyOf } from './leaving.ts';
import { allowCores, startScanned, type Place, type ScannedProcess } from './scan-places.ts';
import { Search } from './scan-search.ts';

/**
 * Two gateways, an owner, a worker, a Redis that keeps all that it is told, a PostgreSQL that logs every statement, everybody at debug level:
 * where does a device's masked input stand? It may in the memory of the gateway that received it, and nowhere else. Looked for in the
 * middle of a round, while inputs wait in their gateways and while the owner holds their sum; and after some rounds, also in real cores and
 * in every file. A search that does not find what must be there, and what was put there on purpose, counts as failed.
 */

/** What the search came to. */
export interface ScanResult {
  readonly harm: 'scan';
  readonly rounds: number;
  /** Masked inputs that were looked for, and the patterns that they made. */
  readonly inputs: number;
  readonly patterns: number;
  /** Why no cores were searched, where none were. */
  readonly withoutCores?: string;
  /** What was searched, and how. */
  readonly places: readonly string[];
  /** Where a masked input was found that may not be there. */
  readonly leaks: readonly string[];
  /** What had to be found: what was, and what was not. */
  readonly found: readonly string[];
  readonly missed: readonly string[];
  readonly seconds: number;
}

/** Devices of each gateway: one is alone, so that its gateway's part of the sum, before it is padded, is that device's input. */
const AT = { 'gateway 1': 7, 'gateway 2': 1 } as const;
type GatewayName = keyof typeof AT;
const CLIENTS = AT['gateway 1'] + AT['gateway 2'];
const ROUNDS = 5;
/** Long, so that a process that is stopped to be looked at keeps its tasks. */
const TAKE_OVER_MS = 60_000;
const DEADLINE_MS = 60_000;
const LIMIT_MS = 120_000;

/** What runs. */
interface Parts {
  readonly folder: string;
  readonly redis: TestRedis;
  readonly postgres: TestServer;
  readonly store: string;
  readonly processes: Readonly<Record<GatewayName | 'owner' | 'worker', ScannedProcess>>;
  /** Redis and PostgreSQL. */
  readonly servers: readonly Place[];
  readonly hosts: readonly Host[];
}

/** A process with devices. */
interface Host {
  readonly child: ChildProcess;
  readonly gateway: GatewayName;
  /** Where it tells what it masked. */
  readonly told: string;
  masked(): number;
}

/** @returns in words what is missing on this machine, where it cannot be run. */
export async function runScan(): Promise<ScanResult | string> {
  if (process.platform !== 'linux') return 'needs Linux: memory is read through /proc';
  const withoutCores = allowCores();
  const redis = await startTestRedis({ keeps: true });
  if (typeof redis === 'string') return redis;
  const postgres = await startTestServer();
  const folder = mkdtempSync(join(tmpdir(), 'tutti-scan-'));
  const running: ChildProcess[] = [];
  try {
    if (typeof postgres === 'string') return postgres;
    const parts = await startParts({ folder, redis, postgres }, running);
    return await scan(parts, withoutCores);
  } finally {
    for (const child of running) child.kill('SIGKILL');
    await redis.destroy();
    if (typeof postgres !== 'string') await postgres.destroy();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function scan(parts: Parts, withoutCores: string | undefined): Promise<ScanResult> {
  const started = Date.now();
  const { folder, redis, processes, servers, hosts } = parts;
  const { owner, worker } = processes;
  const everybody = [...Object.values(processes), ...servers];
  const search = new Search({ inputs: () => inputsOf(hosts) });
  for (const { name, planted } of Object.values(processes)) search.plant(name, planted);
  await plantInServers(parts, search);
  writeFileSync(join(folder, 'left'), randomPlanted(search, 'logs and temporary files'));

  await until('everybody has masked an input', () =>
    hosts.every((host) => host.masked() >= AT[host.gateway]),
  );
  // The owner cannot count anything now: inputs wait in their gateways.
  owner.signal('SIGSTOP');
  for (const { child } of hosts) child.stdin?.write('go on\n');
  for (const { gateway } of hosts)
    await search.untilFound('inputs as they came', processes[gateway], heldOf(hosts, gateway));
  search.lookAtMemory(everybody, 'while inputs are received');

  // Without the worker, the owner waits with the sum in its hands.
  worker.signal('SIGSTOP');
  owner.signal('SIGCONT');
  const first = hosts.flatMap(({ told, gateway }) => toldIn(told).slice(0, AT[gateway]));
  await search.untilFound('the sum of all inputs', owner, sumPatterns('the sum', first));
  search.lookAtMemory(everybody, 'while the owner has the sum');
  worker.signal('SIGCONT');

  let rounds = 0;
  // A connection that was kept open may have been closed while nobody looked after it.
  const told = (): Promise<RoundLine[]> => roundsOf(processes['gateway 1'].url).catch(() => []);
  await until('rounds', async () => (rounds = (await told()).length) >= ROUNDS);
  search.lookAtMemory(everybody, 'after some rounds');
  const data = await keepAll(parts);
  if (withoutCores === undefined) await search.lookAtCores(everybody);
  for (const { child } of [...hosts, ...Object.values(processes)]) child.kill('SIGKILL');
  search.lookAtFiles('Redis', redis.folder);
  search.lookAtFiles('PostgreSQL', data);
  search.lookAtFiles('logs and temporary files', folder);
  return {
    ...{ harm: 'scan', rounds, inputs: hosts.reduce((sum, { told }) => sum + toldIn(told).length, 0) },
    ...(withoutCores === undefined ? {} : { withoutCores }),
    ...{ patterns: search.patterns, places: [...search.places], leaks: [...search.leaks] },
    ...{ found: search.found, missed: search.missed, seconds: (Date.now() - started) / 1_000 },
  };
}

const inputsOf = (hosts: readonly Host[]): Map<string, Pattern[]> =>
  new Map(hosts.map(({ gateway, told }) => [gateway, inputPatterns(`an input of ${gateway}`, toldIn(told))]));

/** The first inputs of a gateway's devices as it holds them. */
const heldOf = (hosts: readonly Host[], gateway: GatewayName): Pattern[] =>
  [...inputsOf(hosts)]
    .flatMap(([name, patterns]) => (name === gateway ? patterns : []))
    .filter(({ label }) => label.endsWith('(packed)'))
    .map((pattern, i) => ({ ...pattern, label: `${i}` }));

async function startParts(
  servers: Pick<Parts, 'folder' | 'redis' | 'postgres'>,
  running: ChildProcess[],
): Promise<Parts> {
  const { folder, redis, postgres } = servers;
  const store = await postgres.newDatabase();
  await logEverything(postgres, store);
  const processes = await startProcesses(folder, { redis, store }, running);
  const hosts = (['gateway 1', 'gateway 2'] as const).map((gateway, i) =>
    startHost(folder, processes[gateway], { gateway, first: i * AT['gateway 1'] }),
  );
  running.push(...hosts.map(({ child }) => child));
  return { ...servers, store, processes, servers: await serverPlaces(redis, postgres, store), hosts };
}

/** Statements with what they were given, in a log of files. */
async function logEverything(postgres: TestServer, store: string): Promise<void> {
  const settings = { log_statement: 'all', log_min_messages: 'debug1', logging_collector: 'on' };
  for (const [setting, value] of Object.entries(settings))
    await postgres.query(store, `alter system set ${setting} = '${value}'`);
  await postgres.stop('fast');
  await postgres.start();
}

async function startProcesses(
  folder: string,
  { redis, store }: { readonly redis: TestRedis; readonly store: string },
  running: ChildProcess[],
): Promise<Parts['processes']> {
  const deadlines = {
    ...{ trainMs: DEADLINE_MS, shareKeysMs: DEADLINE_MS, maskedInputMs: DEADLINE_MS, unmaskMs: DEADLINE_MS },
  };
  const task = filmsTask(CLIENTS, {
    ...{ catalogue: { ids: SCAN_FILMS }, model: { family: 'mf', dimension: 32 }, rounds: ROUNDS },
    round: { cohort: CLIENTS, smallestCohort: 3, overselection: 1, selectionMs: 500, deadlines },
  });
  const start = async (name: string, roles?: readonly ('gateway' | 'owner')[]): Promise<ScannedProcess> => {
    const cluster = { redis: redis.url, takeOverMs: TAKE_OVER_MS, ...(roles === undefined ? {} : { roles }) };
    const process = await startScanned(folder, name, {
      command: roles === undefined ? 'worker' : 'coordinator',
      config: { store, cluster, tasks: [task], log: { format: 'json', level: 'debug' } },
    });
    running.push(process.child);
    return process;
  };
  return {
    // First: gateways wait a while for tasks to have an owner.
    owner: await start('owner', ['owner']),
    'gateway 1': await start('gateway 1', ['gateway']),
    'gateway 2': await start('gateway 2', ['gateway']),
    worker: await start('worker'),
  };
}

function startHost(
  folder: string,
  { url }: ScannedProcess,
  { gateway, first }: { readonly gateway: GatewayName; readonly first: number },
): Host {
  const script = fileURLToPath(new URL('scan-host.ts', import.meta.url));
  const source = fileURLToPath(new URL('../../packages/base/source.js', import.meta.url));
  const devices = join(folder, 'devices');
  mkdirSync(devices, { recursive: true });
  const told = join(folder, `told-${first}`);
  const args = ['--import', source, script, url, devices, `${first}`, `${AT[gateway]}`, told];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let masked = 0;
  child.stdout.on('data', (chunk: Buffer) => (masked += chunk.toString().split('masked').length - 1));
  return { child, gateway, told, masked: () => masked };
}

async function serverPlaces(redis: TestRedis, postgres: TestServer, store: string): Promise<Place[]> {
  const [row] = await postgres.query(store, `select pg_read_file('postmaster.pid') as file`);
  const postmaster = Number(String(row?.['file']).split('\n')[0]);
  const client = new Redis(redis.url);
  const pid = Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);
  client.disconnect();
  return [
    { name: 'Redis', pids: () => [pid] },
    { name: 'PostgreSQL', pids: () => familyOf(postmaster) },
  ];
}

function randomPlanted(search: Search, place: string): Buffer {
  const bytes = randomBytes(32);
  search.plant(place, bytes);
  return bytes;
}

async function plantInServers({ redis, postgres, store }: Parts, search: Search): Promise<void> {
  const client = new Redis(redis.url);
  await client.set('planted', randomPlanted(search, 'Redis'));
  client.disconnect();
  const inPostgres = randomPlanted(search, 'PostgreSQL').toString('hex');
  await postgres.query(store, `insert into tutti.small_values values ('planted', '\\x${inPostgres}')`);
}

/** Has both servers write down what they hold. @returns where PostgreSQL does. */
async function keepAll({ redis, postgres, store }: Parts): Promise<string> {
  const client = new Redis(redis.url);
  await client.save();
  client.disconnect();
  await postgres.query(store, 'checkpoint');
  const [row] = await postgres.query(store, 'show data_directory');
  return String(row?.['data_directory']);
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
    await sleep(50);
  }
}
