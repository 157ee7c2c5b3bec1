import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestRedis } from '@tutti/cluster-redis/testing';
import { startTestPair, type TestPair } from '@tutti/storage-postgres/testing';
import type { Process } from '../cluster/coordinators.ts';
import { journalOf, ownerAmong, startParts, type ClusterParts } from './cluster-parts.ts';
import { watchFences } from './fences.ts';
import { endsOf, resultFrom, type HarmOptions, type HarmResult } from './harm.ts';
import { watchPhases, type Phases } from './phases.ts';

/**
 * A cluster whose primary PostgreSQL is killed under load, again and again; each time its standby takes its address over. With a synchronous
 * standby nothing that was acknowledged may be gone. An asynchronous one lacks what was committed last: rounds are gone with it, and are
 * told, not counted; but the cluster goes on by itself, and no lease's number counts for two.
 */

const CLIENTS = 10;
const INSTANTS = ['train', 'share-keys', 'masked-input', 'unmask', 'sum'] as const;
/** Rounds that an asynchronous standby lacks. */
const BEHIND = 2;

/** Longest time until rounds are committed again, in milliseconds: a statement may take 20 s, and its answer is waited for 5 s more. */
const AGAIN_MS = 120_000;

export interface FailoverOptions extends HarmOptions {
  readonly synchronous?: boolean;
}

/** @returns in words what is missing on this machine. */
export async function runFailover(options: FailoverOptions = {}): Promise<HarmResult | string> {
  const { times = 10, synchronous = true } = options;
  const redis = await startTestRedis();
  if (typeof redis === 'string') return redis;
  const pair = await startTestPair({ synchronous });
  const folder = mkdtempSync(join(tmpdir(), 'tutti-failover-'));
  try {
    if (typeof pair === 'string') return pair;
    const store = await pair.newDatabase();
    const parts = await startParts(folder, { redis: redis.url, store, clients: CLIENTS });
    const phases = watchPhases(parts.processes[2]?.url ?? '', (reason) => parts.ledger.reasons.add(reason));
    try {
      return await failAgainAndAgain({ pair, parts, phases, store }, { ...options, times, synchronous });
    } finally {
      phases.close();
      await parts.close();
    }
  } finally {
    await redis.destroy();
    if (typeof pair !== 'string') await pair.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Scene {
  readonly pair: TestPair;
  readonly parts: ClusterParts;
  readonly phases: Phases;
  readonly store: string;
}

async function failAgainAndAgain(
  scene: Scene,
  { times, synchronous, onHarm }: Required<Pick<FailoverOptions, 'times' | 'synchronous'>> & FailoverOptions,
): Promise<HarmResult> {
  const started = Date.now();
  const { pair, parts, phases, store } = scene;
  const { ledger, balancer } = parts;
  if (!(await ledger.untilRound(balancer.url, 1))) throw new Error(`no first round: ${parts.said()}`);
  const fences = await watchFences(pair, store);
  let stuck = 0;
  let gone = 0;
  let longestMs = 0;
  for (let time = 0; time < times && stuck === 0; time++) {
    const instant = INSTANTS[time % INSTANTS.length] ?? 'train';
    const how = time % 2 === 0 ? 'reset' : 'silent';
    const owner = synchronous ? undefined : await fallBehind(scene, time % 3 === 0);
    const hit = await phases.until(instant);
    await ledger.look(balancer.url);
    await fences.read();
    await pair.failOver(how);
    const before = (await journalOf(pair, store)).length;
    const begun = Date.now();
    const isOn = await untilWritten(scene, before + 2);
    // What an asynchronous standby lacks is gone, as it must be; how much that is is told.
    if (!synchronous) gone += ledger.forgetAfter(before);
    if (!isOn || !(await ledger.untilRound(balancer.url, before + 2))) stuck++;
    await owner?.start();
    longestMs = Math.max(longestMs, Date.now() - begun);
    onHarm?.(
      `${time + 1}/${times} ${how}, ${hit ? 'in' : 'after'} ${instant}: ${before} rounds, two more after ${Date.now() - begun} ms`,
    );
  }
  if (stuck > 0) process.stderr.write(parts.said());
  await ledger.look(balancer.url);
  await fences.read();
  const notes = [
    `${times} times`,
    `${fences.count} leases`,
    `two rounds within ${(longestMs / 1_000).toFixed(1)} s of each`,
    ...(synchronous ? [] : [`${gone} rounds that the standby did not have`]),
  ];
  return resultFrom(synchronous ? 'failover' : 'failover-asynchronous', {
    ...{ started, ledger, stuck, notes, reasons: endsOf(ledger) },
    final: await journalOf(pair, store),
    twice: fences.twice,
  });
}

/** The standby hears no more, while rounds go on. @returns the owner that was killed meanwhile, so that another one took its task. */
async function fallBehind(
  { pair, parts, store }: Scene,
  isOwnerKilled: boolean,
): Promise<Process | undefined> {
  const { ledger, balancer, processes } = parts;
  const from = (await journalOf(pair, store)).length;
  pair.cutStandby();
  const owner = isOwnerKilled ? await ownerAmong(processes, pair, store) : undefined;
  owner?.signal('SIGKILL');
  await ledger.untilRound(balancer.url, from + BEHIND);
  return owner;
}

async function untilWritten({ pair, store }: Scene, rounds: number): Promise<boolean> {
  const deadline = Date.now() + AGAIN_MS;
  while (Date.now() < deadline) {
    const written = await journalOf(pair, store).catch(() => []);
    if (written.length >= rounds) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}
