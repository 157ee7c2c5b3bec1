import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { seededRandom, systemRandom } from '@tutti/base';
import { openPeers, type RedisPeers } from '@tutti/cluster-redis';
import { startTestRedis, type TestRedis } from '@tutti/cluster-redis/testing';
import { generateFilmShelf } from '@tutti/datasets';
import { openNodeEngine } from '@tutti/engine-simd/node';
import { createModel, initialShared, resolveModelConfig } from '@tutti/model';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { openEvaluator, serveEvaluations, serveShards, type SimulationHosts } from '@tutti/simulation';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TUTTI } from './coordinators.ts';

/** Checkpoints whose people are ranked for by workers, some of them real `tutti worker` processes, over a real Redis. */

const { version } = JSON.parse(readFileSync(new URL('../package.json', `file://${TUTTI}`), 'utf8')) as {
  version: string;
};

let started: TestRedis | string = 'needs redis: it was not started';
let victim: ChildProcess | undefined;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  started = await startTestRedis();
  if (typeof started === 'string') return;
  // It starts while other tests run.
  victim = spawn(process.execPath, [TUTTI, 'worker', '--redis', started.url, '--threads', '1'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
});
afterAll(async () => {
  victim?.kill('SIGKILL');
  for (const one of open.reverse()) await one.close();
  if (typeof started !== 'string') await started.destroy();
});

const data = generateFilmShelf({ seed: 5, users: 60, items: 150 });
const model = createModel(
  resolveModelConfig({ family: 'mf', dimension: 8 }, { items: 150, meanHistory: 20 }),
  150,
);
const weights = (seed: number): Float32Array => initialShared(model, seededRandom(seed));

async function evaluator(hosts?: SimulationHosts) {
  const choice = { engine: 'simd', backend: 'auto' } as const;
  const { engine } = await openNodeEngine({ model, ...choice });
  const opened = await openEvaluator({
    ...{ dataset: data, fit: 'train-only', engine, choice, breathe: () => Promise.resolve() },
    ...(hosts === undefined ? {} : { hosts }),
  });
  open.push(opened);
  return opened;
}

/** Everything that is measured of a checkpoint. */
async function figures(by: Awaited<ReturnType<typeof evaluator>>, shared: Float32Array) {
  const test = await by.rank(shared, { part: 'test' });
  const validation = await by.rank(shared, { part: 'validation', users: [3, 50, 7] });
  return { test, validation, newcomers: await by.newcomers(shared) };
}

/** A process of those who have `secret` in common; one that is silent for a second is gone. */
async function meet(redis: string, secret: string, isHost: boolean): Promise<RedisPeers> {
  const common = nodeCrypto.digest('simulation-workers', Buffer.from(secret));
  const engine = { crypto: nodeCrypto, random: systemRandom() };
  const peers = await openPeers({ redis, secret: common, isHost, ...engine, takeOverMs: 1_500 });
  open.push(peers);
  return peers;
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A worker in this process, which says what it offers, and does nothing yet. */
async function idleWorker(redis: string, secret: string) {
  const peers = await meet(redis, secret, true);
  const done: string[] = [];
  const offers = { peers, version, threads: 1, onShard: (line: string) => void done.push(line) };
  open.push(serveShards(offers));
  return {
    done,
    work: () => void open.push(serveEvaluations({ ...offers, threads: 2 })),
    leave: () => void peers.close(),
  };
}

/** Every job that stands in Redis, with its id. */
async function jobsAt(redis: Redis): Promise<Map<string, unknown>> {
  const keys = await redis.keys('bull:*-evaluation:*-*-*');
  const found = keys.filter((key) => !key.endsWith(':lock'));
  const jobs = await Promise.all(
    found.map(async (key) => [key.split(':').at(-1) ?? '', await redis.hgetall(key)] as const),
  );
  return new Map(jobs.map(([id, fields]) => [id, JSON.parse(fields['data'] ?? 'null')]));
}

describe('people who are ranked for by workers', () => {
  it('are in jobs of ids alone, added once, also where Redis forgot them, and counted once', async (ctx) => {
    if (typeof started === 'string') return ctx.skip(started);
    const { url } = started;
    const redis = new Redis(url);
    const worker = await idleWorker(url, 'jobs');
    const peers = await meet(url, 'jobs', false);
    const said: string[] = [];
    const spread = await evaluator({ peers, version, onHost: (line) => said.push(line) });
    expect(said).toEqual(['people are ranked for in 1 threads of 1 workers, in shards of 15 at most']);

    const measuring = figures(spread, weights(1));
    await until('four jobs', async () => (await jobsAt(redis)).size === 4);
    const jobs = await jobsAt(redis);
    for (const [id, job] of jobs) {
      const { owner, run, shard, checkpoint, ...rest } = job as Record<string, unknown>;
      expect(rest).toEqual({});
      expect(id).toBe(`${String(run)}-${String(shard)}-${String(checkpoint)}`);
      expect(owner).toBe(peers.self);
      expect(checkpoint).toMatch(/^[0-9a-f]{64}$/);
    }
    await redis.flushall();
    await until('the same jobs', async () => (await jobsAt(redis)).size === 4);
    expect(await jobsAt(redis)).toEqual(jobs);
    // A second job of a shard: both are worked on at a time, and the second result is not wanted.
    const last = [...jobs.values()].find((job) => (job as { shard: number }).shard === 3);
    await peers.jobs('evaluation').add([{ id: 'a-second-one', data: last }]);
    worker.work();
    const here = await figures(await evaluator(), weights(1));
    expect(await measuring).toEqual(here);
    expect(here.test).toHaveLength(60);
    expect(here.validation.map(({ user }) => user)).toEqual([3, 50, 7]);
    // Four shards of everybody, two of three people, four of newcomers; one of them may be done twice.
    expect([10, 11]).toContain(worker.done.length);
    await until('no job', async () => (await jobsAt(redis)).size === 0);
    redis.disconnect();
  }, 60_000);

  it('get the same figures where a worker is killed, and an end by name where nobody is left', async (ctx) => {
    if (typeof started === 'string') return ctx.skip(started);
    const { url } = started;
    const peers = await meet(url, '', false);
    await until('a worker', () => peers.hosts().length === 1);
    const hosts = { peers, version, waitMs: 300 };
    await expect(evaluator({ ...hosts, version: '0.0.9' })).rejects.toThrow(`a worker runs tutti ${version}`);
    const spread = await evaluator(hosts);
    const other = await idleWorker(url, '');
    await until('another worker', () => peers.hosts().length === 2);
    const here = await (await evaluator()).rank(weights(2), { part: 'test' });
    const onProgress = (): void => {
      if (victim?.kill('SIGKILL') === true) other.work();
      victim = undefined;
    };
    expect(await spread.rank(weights(2), { part: 'test', onProgress })).toEqual(here);
    expect(other.done.length).toBeGreaterThan(0);
    expect(other.done.length).toBeLessThan(4);

    const left = spread.rank(weights(3), { part: 'test', onProgress: other.leave });
    await expect(left).rejects.toThrow('no worker for 60 people to rank for in 0.3 s');
  }, 60_000);
});
