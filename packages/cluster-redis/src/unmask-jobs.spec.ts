import { seededRandom, systemRandom, toHex } from '@tutti/base';
import type { SharedStorage } from '@tutti/coordination';
import {
  localUnmasker,
  removeMasks,
  type ClientId,
  type CohortDigest,
  type RecoveredMasks,
  type RecoveredSecret,
  type Unmasker,
} from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectCluster, type Connection } from './connection.ts';
import type { Role } from './members.ts';
import { splitSecrets } from './shards.ts';
import { startTestRedis, type TestRedis } from './testing.ts';
import { unmaskByJobs } from './unmask-jobs.ts';
import { openWorker } from './worker.ts';

let started: TestRedis | string = 'needs redis: it was not started';
beforeAll(async () => void (started = await startTestRedis()));
afterAll(async () => {
  if (typeof started !== 'string') await started.destroy();
});

const random = systemRandom();
const WORDS = 5_000;

/** What a cluster's processes share beside Redis, as far as this needs it. */
const storageOf = (secret: Uint8Array): SharedStorage =>
  ({ shared: async () => secret }) as unknown as SharedStorage;

function masksOf(seed: number): RecoveredMasks {
  const stream = seededRandom(seed).fork('masks');
  const bytes = (): Uint8Array => Uint8Array.from({ length: 32 }, () => stream.int(256));
  const id = (): ClientId => toHex(bytes().subarray(0, 16)) as ClientId;
  const peer = () => ({ id: id(), maskKey: nodeCrypto.publicKeyOf(bytes()) });
  const seeds = Array.from({ length: 30 }, (): RecoveredSecret => ({
    kind: 'self-seed',
    owner: id(),
    secret: bytes(),
  }));
  const keys = Array.from({ length: 3 }, (): RecoveredSecret => ({
    ...{ kind: 'mask-key', owner: id(), secret: bytes() },
    peers: Array.from({ length: 20 }, peer),
  }));
  return {
    ...{ phase: 'recovered', cohortDigest: bytes() as CohortDigest, culprits: [] },
    secrets: [...seeds, ...keys],
  };
}

const sumOf = (): Uint32Array => Uint32Array.from({ length: WORDS }, (_, i) => Math.imul(i, 2_654_435_761));

function expected(seed: number): Uint32Array {
  const sum = sumOf();
  removeMasks(sum, masksOf(seed), nodeCrypto);
  return sum;
}

const card = (role: Role) => () => ({
  roles: [role],
  tasks: {},
  follows: {},
  sent: {},
  upBytes: 0,
  downBytes: 0,
});

/** An owner's side of the queue, and how often it did the work itself. */
async function openOwnerSide(url: string, secret: Uint8Array, workersMs?: number) {
  const options = { redis: url, storage: storageOf(secret), takeOverMs: 1_500 };
  const connection: Connection = await connectCluster(options, { crypto: nodeCrypto, random }, card('owner'));
  connection.streams.start();
  const own: number[] = [];
  const local = localUnmasker(nodeCrypto);
  const fallback: Unmasker = {
    ...local,
    remove(sum, masks) {
      own.push(masks.secrets.length);
      return local.remove(sum, masks);
    },
  };
  const jobs = unmaskByJobs({
    ...{ connection, redis: url, fallback, id: () => toHex(random.bytes(16)) },
    ...(workersMs === undefined ? {} : { workersMs }),
  });
  return {
    ...{ own, jobs, connection, options },
    async untilWorkers(count: number) {
      const deadline = Date.now() + 10_000;
      while (
        [...connection.members.alive.values()].filter((one) => one.roles.includes('worker')).length !== count
      ) {
        if (Date.now() > deadline) throw new Error(`not ${count} workers in time`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async close() {
      await jobs.close();
      await connection.close();
    },
  };
}

describe('unmasking by jobs', () => {
  it('gives the same integers by two workers, by none, and by one that never answers', async (ctx) => {
    if (typeof started === 'string') return ctx.skip(started);
    const { url } = started;
    const secret = random.bytes(32);
    const owner = await openOwnerSide(url, secret, 1_500);
    const sum = sumOf();
    await owner.jobs.remove(sum, masksOf(1));
    expect(sum).toEqual(expected(1));
    expect(owner.own).toEqual([33]);

    const engine = { crypto: nodeCrypto, random, unmasker: localUnmasker(nodeCrypto) };
    const workers = [
      await openWorker({ ...owner.options, ...engine }),
      await openWorker({ ...owner.options, ...engine }),
    ];
    await owner.untilWorkers(2);
    const masks = masksOf(2);
    const byWorkers = sumOf();
    await owner.jobs.remove(byWorkers, masks);
    expect(byWorkers).toEqual(expected(2));
    expect(owner.own).toEqual([33]);
    expect(owner.jobs.done()).toBe(8);
    expect(masks.secrets.every(({ secret: one }) => one.every((byte) => byte === 0))).toBe(true);
    for (const worker of workers) await worker.close();
    await owner.untilWorkers(0);

    // It says that it is a worker, and takes no job.
    const idle = await connectCluster(owner.options, { crypto: nodeCrypto, random }, card('worker'));
    await owner.untilWorkers(1);
    const late = sumOf();
    await owner.jobs.remove(late, masksOf(3));
    expect(late).toEqual(expected(3));
    expect(owner.own).toEqual([33, 33]);
    await idle.close();
    await owner.close();
  }, 30_000);

  it('cuts secrets into parts that cost about the same', () => {
    const { secrets } = masksOf(4);
    const parts = splitSecrets(secrets, 4);
    expect(parts.flat()).toHaveLength(33);
    expect(new Set(parts.flat()).size).toBe(33);
    // 30 seeds and 3 keys with 20 neighbours: 90 streams.
    const costs = parts.map((part) =>
      part.reduce((sum, one) => sum + (one.kind === 'self-seed' ? 1 : one.peers.length), 0),
    );
    expect(Math.max(...costs) - Math.min(...costs)).toBeLessThanOrEqual(1);
    expect(splitSecrets(secrets.slice(0, 2), 4)).toHaveLength(2);
  });
});
