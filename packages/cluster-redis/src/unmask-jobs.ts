import { wipe } from '@tutti/base';
import {
  addInto,
  wipeMasks,
  type RecoveredMasks,
  type RecoveredSecret,
  type Unmasker,
} from '@tutti/secure-aggregation';
import { Queue } from 'bullmq';
import * as z from 'zod/mini';
import type { Connection } from './connection.ts';
import { PATIENCE } from './redis.ts';
import { encodeShard, splitSecrets } from './shards.ts';
import { wordsOf } from './word-bytes.ts';

const WORKERS_MS = 10_000;
/** Shards for each worker: one that is slow keeps the others waiting for little. */
const SHARDS_A_WORKER = 4;

/** The queue of a cluster's shards. */
export const unmaskQueue = (name: string): string => `tutti-${name}-unmask`;

/** What a job says: ids, and nothing of anybody. */
export const jobData = z.strictObject({ owner: z.string(), shard: z.string() });
export const shardHead = z.strictObject({ shard: z.string() });

/** Removes masks with the help of workers. */
export interface JobsUnmasker extends Unmasker {
  /** Shards that workers did. */
  readonly done: () => number;
}

interface Waiting {
  readonly secrets: readonly RecoveredSecret[];
  readonly words: number;
  readonly cohortDigest: RecoveredMasks['cohortDigest'];
  readonly take: (part: Uint32Array) => void;
}

/**
 * Removes masks on workers, where there are some, and here where there are none, or where they take too long: the integers are the same.
 * A job in Redis is an id. What it is about a worker asks of this process, and hands its part of the masks over to it, both sealed.
 * @param fallback removes what no worker did; it belongs to who made it.
 */
export function unmaskByJobs(options: {
  readonly connection: Connection;
  readonly redis: string;
  readonly fallback: Unmasker;
  /** A name that nobody else has. */
  readonly id: () => string;
  /** How long workers may take for a sum before it is done here, in milliseconds; default 10000. */
  readonly workersMs?: number;
}): JobsUnmasker {
  const { connection, redis, fallback, id, workersMs = WORKERS_MS } = options;
  const { bus, members, name } = connection;
  const queue = new Queue(unmaskQueue(name), {
    connection: { url: redis, ...PATIENCE, enableOfflineQueue: false, maxRetriesPerRequest: 0 },
  });
  queue.on('error', () => undefined);
  const waiting = new Map<string, Waiting>();
  let done = 0;

  bus.on('shard', (_from, { head }) => {
    const { shard } = shardHead.parse(head);
    const one = waiting.get(shard);
    if (one === undefined) throw new Error('the shard is done, or was given up');
    const { words, cohortDigest, secrets } = one;
    return encodeShard({ words, masks: { phase: 'recovered', cohortDigest, secrets, culprits: [] } });
  });
  bus.on('shard-done', (_from, { head, parts }) => {
    const { shard } = shardHead.parse(head);
    const one = waiting.get(shard);
    if (one !== undefined) one.take(wordsOf(parts[0], one.words));
    return { head: null, parts: [] };
  });

  const workers = (): number =>
    [...members.alive.values()].filter(({ roles }) => roles.includes('worker')).length;

  /** Hands secrets out. @returns those that nobody did in time. */
  async function handOut(
    sum: Uint32Array,
    { cohortDigest, secrets }: RecoveredMasks,
    most: number,
  ): Promise<RecoveredSecret[]> {
    const left = new Map<string, readonly RecoveredSecret[]>();
    let settle: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (settle = resolve));
    const tooLate = setTimeout(() => settle(), workersMs);
    for (const part of splitSecrets(secrets, most)) {
      const shard = id();
      left.set(shard, part);
      waiting.set(shard, {
        ...{ secrets: part, words: sum.length, cohortDigest },
        take(words) {
          // Once, however often it is done.
          waiting.delete(shard);
          left.delete(shard);
          addInto(sum, words);
          wipe(words);
          done++;
          if (left.size === 0) settle();
        },
      });
    }
    const jobs = [...left.keys()].map((shard) => ({
      ...{ name: 'unmask', data: { owner: connection.self, shard } },
      opts: { jobId: shard, removeOnComplete: true, removeOnFail: true, attempts: 3 },
    }));
    // Without Redis nobody does them. Where it is cut off, nobody says so for long: what is done in time counts.
    queue.addBulk(jobs).catch(() => settle());
    await over;
    clearTimeout(tooLate);
    for (const shard of left.keys()) waiting.delete(shard);
    return [...left.values()].flat();
  }

  return {
    done: () => done,
    prepare() {
      if (workers() === 0) fallback.prepare();
    },
    async remove(sum, masks) {
      const count = workers();
      if (count === 0) return fallback.remove(sum, masks);
      try {
        const secrets = await handOut(sum, masks, SHARDS_A_WORKER * count);
        if (secrets.length > 0) await fallback.remove(sum, { ...masks, secrets });
      } finally {
        wipeMasks(masks);
      }
    },
    async close() {
      await queue.close().catch(() => undefined);
    },
  };
}
