import { Queue, Worker } from 'bullmq';

/** A job as Redis shows it: ids, and nothing of anybody. */
export interface Job {
  /** Says what is to be done: a second job of the same is none. No colons. */
  readonly id: string;
  readonly data: unknown;
}

/** A queue of jobs that every process with the same secret sees. Each is done at least once while somebody works; what Redis loses is added again. */
export interface Jobs {
  /** Those whose id stands in the queue already, or is being worked on, are not added again. @throws where Redis is away. */
  add(jobs: readonly Job[]): Promise<void>;
  /** Takes jobs back that nobody has begun; never throws. */
  remove(ids: readonly string[]): Promise<void>;
  /** Does jobs, `atOnce` at a time, until it is closed. One that throws, or whose process is gone, may be done by another. */
  work(options: { readonly atOnce: number; readonly onJob: (data: unknown) => Promise<void> }): void;
  close(): Promise<void>;
}

/** What a queue is opened with. */
export interface JobsOptions {
  readonly redis: string;
  readonly queue: string;
  /** A job whose process has not said for so long that it works on it is somebody else's, in milliseconds. */
  readonly lockMs: number;
}

/** Opens a queue of BullMQ, for whoever adds jobs and for whoever does them. */
export function openJobs({ redis, queue: name, lockMs }: JobsOptions): Jobs {
  let queue: Queue | undefined;
  const workers: Worker[] = [];
  const opened = (): Queue => {
    if (queue !== undefined) return queue;
    queue = new Queue(name, {
      connection: { url: redis, enableOfflineQueue: false, maxRetriesPerRequest: 0 },
    });
    // Each command says for itself that it failed.
    queue.on('error', () => undefined);
    return queue;
  };
  return {
    async add(jobs) {
      const kept = { removeOnComplete: true, removeOnFail: true };
      await opened().addBulk(
        jobs.map(({ id, data }) => ({ name: 'job', data, opts: { jobId: id, ...kept } })),
      );
    },
    async remove(ids) {
      await Promise.allSettled(ids.map((id) => opened().remove(id)));
    },
    work({ atOnce, onJob }) {
      const worker = new Worker(name, async (job) => onJob(job.data), {
        connection: { url: redis, maxRetriesPerRequest: null },
        ...{ concurrency: atOnce, lockDuration: lockMs, stalledInterval: lockMs / 2 },
      });
      worker.on('error', () => undefined);
      workers.push(worker);
    },
    async close() {
      await Promise.allSettled(workers.map((worker) => worker.close()));
      await queue?.close().catch(() => undefined);
    },
  };
}
