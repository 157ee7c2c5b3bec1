import { wipe, type SecureRandom } from '@tutti/base';
import type { CryptoSuite, Unmasker } from '@tutti/secure-aggregation';
import { Worker } from 'bullmq';
import { connectCluster, type ConnectionOptions } from './connection.ts';
import { nodeIdOf } from './sealing.ts';
import { decodeShard } from './shards.ts';
import { PATIENCE } from './redis.ts';
import { jobData, unmaskQueue } from './unmask-jobs.ts';
import { bytesOfWords } from './word-bytes.ts';

/** How long a connection may be silent that waits for jobs, in milliseconds: the queue asks anew after ten seconds at most. */
const WAITS_MS = 15_000;

/** What a worker of a cluster is made of. */
export interface WorkerOptions extends ConnectionOptions {
  readonly crypto: CryptoSuite;
  readonly random: SecureRandom;
  /** Makes the masks; it belongs to who made it. */
  readonly unmasker: Unmasker;
  /** Hears of each shard that was done. */
  readonly onDone?: (words: number, secrets: number) => void;
  readonly onProblem?: (error: Error) => void;
}

/** A process that makes masks for a cluster's owners. */
export interface ClusterWorker {
  close(): Promise<void>;
}

/**
 * Takes shards of unmasking from the cluster's queue. A job names a shard and its owner; the seeds are asked of the owner, sealed, and the
 * part of the masks goes back to it: neither stands in Redis. A shard that is given up meanwhile is somebody else's by now.
 */
export async function openWorker(options: WorkerOptions): Promise<ClusterWorker> {
  const { unmasker, redis } = options;
  const card = { roles: ['worker' as const], tasks: {}, follows: {}, sent: {}, upBytes: 0, downBytes: 0 };
  const connection = await connectCluster(options, options, () => card);
  const { bus, members, streams, name } = connection;
  members.onChange((lost) => {
    for (const node of lost) bus.forget(node);
  });
  streams.start();
  await members.beat();
  unmasker.prepare();
  const worker = new Worker(
    unmaskQueue(name),
    async (job) => {
      const { owner, shard } = jobData.parse(job.data);
      const node = nodeIdOf(owner);
      const { words, masks } = decodeShard(await bus.ask(node, 'shard', { head: { shard }, parts: [] }));
      const { length } = masks.secrets;
      const part = new Uint32Array(words);
      await unmasker.remove(part, masks);
      await bus.ask(node, 'shard-done', { head: { shard }, parts: [bytesOfWords(part)] });
      wipe(part);
      options.onDone?.(words, length);
    },
    {
      connection: { url: redis, ...PATIENCE, socketTimeout: WAITS_MS, maxRetriesPerRequest: null },
      concurrency: 2,
    },
  );
  worker.on('error', (error) => options.onProblem?.(error));
  worker.on('failed', (_job, error) => options.onProblem?.(error));
  return {
    async close() {
      await worker.close();
      await connection.close();
    },
  };
}
