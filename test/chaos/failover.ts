import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestRedis } from '@tutti/cluster-redis/testing';
import { startTestPair, type TestPair } from '@tutti/storage-postgres/testing';
import { journalOf, startParts, type ClusterParts } from './cluster-parts.ts';
import { watchFences, type Fences } from './fences.ts';
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
    if (!synchronous) await fallBehind(scene);
    const hit = await phases.until(instant);
    await ledger.look(balancer.url);
    await fences.read();
    await pair.failOver(how);
    if (!synchronous) gone += await goneRounds(scene, fences);
    const before = (await journalOf(pair, store)).length;
    const begun = Date.now();
    if (!(await untilWritten(scene, before + 2))) stuck++;
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

/** The standby hears no more, while rounds go on; every other time another owner takes the task meanwhile. */
async function fallBehind({ pair, parts, store }: Scene): Promise<void> {
  const { ledger, balancer } = parts;
  await ledger.look(balancer.url);
  pair.cutStandby();
  const from = (await journalOf(pair, store)).length;
  await ledger.untilRound(balancer.url, from + BEHIND);
}

/** What the new primary lacks is gone, as it must be; it is told how much that is. */
async function goneRounds({ pair, parts, store }: Scene, fences: Fences): Promise<number> {
  const kept = await journalOf(pair, store);
  // Clients tell a moment later what they heard.
  await new Promise((resolve) => setTimeout(resolve, 200));
  void fences;
  return parts.ledger.forgetAfter(kept.length);
}

async function untilWritten({ pair, parts, store }: Scene, rounds: number): Promise<boolean> {
  const deadline = Date.now() + AGAIN_MS;
  while (Date.now() < deadline) {
    const written = await journalOf(pair, store).catch(() => []);
    if (written.length >= rounds) return parts.ledger.untilRound(parts.balancer.url, rounds);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}
