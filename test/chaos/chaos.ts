import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, createSharedEngine, type Client } from '@tutti/client-node';
import { seededRandom } from '@tutti/base';

/** Kills a coordinator, and its database where it has one, at random instants under load, starts it again, and counts what was lost, doubled or stuck. */

/** What a chaos run found. */
export interface ChaosResult {
  readonly kills: number;
  /** Rounds committed in the end. */
  readonly rounds: number;
  /** Rounds that a client or an operator was told of and that are gone, or now have another model. */
  readonly lost: number;
  /** Rounds that stand in the history twice, or do not build on the one before. */
  readonly doubled: number;
  /** Restarts after which no round was committed in time. */
  readonly stuck: number;
  readonly seed: number;
  readonly seconds: number;
}

/** What a chaos run is asked for. */
export interface ChaosOptions {
  readonly kills: number;
  readonly seed: number;
  readonly clients?: number;
  /** Where everything is kept; a folder of its own without one. */
  readonly database?: ChaosDatabase;
  readonly onKill?: (kills: number, rounds: number, victim?: string) => void;
}

/** A database server that is killed and restarted as well, every other time. */
export interface ChaosDatabase {
  readonly address: string;
  /** Stops it, as a crash or as an operator does, and starts it again. */
  restart(how: 'crash' | 'fast'): Promise<void>;
}

interface RoundLine {
  readonly round: number;
  readonly modelHash: string;
  readonly previousModelHash: string;
}

/** How long a restarted coordinator may take to commit a round, in milliseconds. */
const STUCK_MS = 60_000;

/** Longest time between a start and a kill, in milliseconds: about two rounds. */
const LONGEST_LIFE_MS = 1_500;

/** After so many kills the coordinator is left alone until a round is committed: it must get on. */
const REST_EVERY = 5;

const ITEMS = Array.from({ length: 60 }, (_, item) => `item-${item}`);
const PORT_WAIT_MS = 20_000;

/** Runs the whole thing in a folder of its own. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const started = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'tutti-chaos-'));
  const random = seededRandom(options.seed).fork('chaos');
  const port = 20_000 + random.int(20_000);
  const url = `http://127.0.0.1:${port}`;
  const store = options.database?.address ?? `lmdb:${join(folder, 'coordinator')}`;
  writeFileSync(join(folder, 'config.json'), JSON.stringify(configOf(store, port, options.clients ?? 10)));
  const told = new Map<number, string>();
  let lost = 0;
  const seen = (rounds: readonly RoundLine[]): void => {
    for (const { round, modelHash } of rounds) {
      if (told.has(round) && told.get(round) !== modelHash) lost++;
      told.set(round, modelHash);
    }
  };
  let coordinator = await startCoordinator(folder, url);
  const engine = await createSharedEngine({ backend: 'wasm' });
  const stop = new AbortController();
  const heard = new Set<number>();
  const clients = await Promise.all(
    Array.from({ length: options.clients ?? 10 }, (_, i) =>
      openClient(url, join(folder, `client-${i}`), engine, i),
    ),
  );
  const running = clients.map((client) => {
    client.on(
      'round',
      ({ outcome, round }) => void (outcome === 'committed' && round !== null && heard.add(round)),
    );
    return client.participate({ signal: stop.signal });
  });
  let stuck = 0;
  let kills = 0;
  try {
    await untilRound(url, 1);
    while (kills < options.kills) {
      await sleep(random.int(LONGEST_LIFE_MS));
      const before = await roundsOf(url).catch(() => []);
      seen(before);
      kills++;
      if (options.database !== undefined && kills % 2 === 0) {
        await options.database.restart(random.int(2) === 0 ? 'crash' : 'fast');
      } else {
        await kill(coordinator);
        coordinator = await startCoordinator(folder, url);
      }
      const after = await roundsOf(url);
      lost += before.filter(({ round, modelHash }) => after[round - 1]?.modelHash !== modelHash).length;
      seen(after);
      options.onKill?.(kills, after.length);
      if (kills % REST_EVERY === 0 && !(await untilRound(url, after.length + 1))) stuck++;
    }
    const target = (await roundsOf(url)).length + 1;
    if (!(await untilRound(url, target))) stuck++;
    stop.abort();
    await Promise.all(running);
    const final = await roundsOf(url);
    lost += [...heard].filter((round) => final[round - 1]?.round !== round).length;
    lost += [...told].filter(([round, hash]) => final[round - 1]?.modelHash !== hash).length;
    const doubled = final.filter(
      ({ round, previousModelHash }, i) =>
        round !== i + 1 || (i > 0 && previousModelHash !== final[i - 1]?.modelHash),
    ).length;
    return {
      kills,
      rounds: final.length,
      lost,
      doubled,
      stuck,
      seed: options.seed,
      seconds: (Date.now() - started) / 1_000,
    };
  } finally {
    stop.abort();
    await Promise.allSettled(running);
    await Promise.allSettled(clients.map((client) => client.close()));
    engine.close();
    await kill(coordinator);
    rmSync(folder, { recursive: true, force: true });
  }
}

function configOf(store: string, port: number, clients: number): unknown {
  const cohort = Math.max(4, clients - 2);
  return {
    listen: { port },
    store,
    tasks: [
      {
        name: 'films',
        catalogue: { ids: ITEMS },
        meanHistory: 6,
        model: { family: 'mf', dimension: 4 },
        round: {
          cohort,
          smallestCohort: 3,
          overselection: 1,
          selectionMs: 300,
          deadlines: { trainMs: 4_000, shareKeysMs: 2_000, maskedInputMs: 2_000, unmaskMs: 2_000 },
        },
        insecureSmallCohort: true,
      },
    ],
  };
}

async function openClient(
  url: string,
  store: string,
  engine: Awaited<ReturnType<typeof createSharedEngine>>,
  number: number,
): Promise<Client> {
  const client = await createClient({
    coordinator: url,
    task: 'films',
    store,
    engine,
    policy: { smallestCohort: 2, insecureSmallCohort: true },
    backOff: { firstMs: 50, mostMs: 400 },
    answerEveryMs: 10,
  });
  await client.record(ITEMS.slice(number, number + 6).map((item) => ({ item })));
  return client;
}

async function startCoordinator(folder: string, url: string): Promise<ChildProcess> {
  const bin = fileURLToPath(import.meta.resolve('@tutti/cli/package.json')).replace(
    /package\.json$/,
    'bin/tutti.js',
  );
  const child = spawn(process.execPath, [bin, 'coordinator', '--config', join(folder, 'config.json')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2_000)));
  const deadline = Date.now() + PORT_WAIT_MS;
  while (Date.now() < deadline) {
    if (child.exitCode !== null)
      throw new Error(`the coordinator ended with code ${child.exitCode}: ${complaint}`);
    if (
      await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(1_000) }).then(
        (response) => response.ok,
        () => false,
      )
    )
      return child;
    await sleep(30);
  }
  child.kill('SIGKILL');
  throw new Error(`the coordinator did not start: ${complaint}`);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

async function roundsOf(url: string): Promise<RoundLine[]> {
  const response = await fetch(`${url}/v1/tasks/films/rounds`, { signal: AbortSignal.timeout(5_000) });
  return ((await response.json()) as { rounds: RoundLine[] }).rounds;
}

/** Whether `round` rounds are committed in time. */
async function untilRound(url: string, round: number): Promise<boolean> {
  const deadline = Date.now() + STUCK_MS;
  while (Date.now() < deadline) {
    if ((await roundsOf(url).catch(() => [])).length >= round) return true;
    await sleep(50);
  }
  return false;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
