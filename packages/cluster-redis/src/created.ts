import { TaskExistsError, type CoordinationOptions, type TaskConfig } from '@tutti/coordination';
import type { ClusterOptions } from './connection.ts';
import type { Timing } from './timing.ts';

/** Tasks that are created while a cluster runs. */
export interface FollowedTasks {
  /**
   * Creates a task for all processes: its lease, which only one of them can make, says that there is one of this name.
   * @param keep is waited for before anybody may run it.
   * @throws {TaskExistsError} where there is one, or was.
   */
  create(name: string, keep?: () => Promise<void>): Promise<void>;
  /** For how long the leases could not be read, in milliseconds: the database is away. */
  awayMs(): number;
  close(): Promise<void>;
}

/** How long a task that cannot be read is left alone, in milliseconds. */
const FAILED_MS = 10_000;

/** Takes up every task that has a lease and is not known here. @param add begins to serve it, or to run it, in this process. */
export function followCreated(
  { storage, onProblem = () => undefined }: Pick<ClusterOptions, 'storage' | 'onProblem'>,
  { tasks, created }: Pick<CoordinationOptions, 'tasks' | 'created'>,
  { lookMs }: Pick<Timing, 'lookMs'>,
  add: (config: TaskConfig) => void,
): FollowedTasks {
  const known = new Set(tasks.map(({ name }) => name));
  const notBefore = new Map<string, number>();
  let closed = false;
  let seenMs = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looking: Promise<void> = Promise.resolve();

  async function takeUp(name: string): Promise<void> {
    if (known.has(name) || closed || (notBefore.get(name) ?? 0) > performance.now()) return;
    try {
      const config = await created?.load(name);
      // A lease of a task that a configuration named once, or one that is being created.
      if (config === undefined || known.has(name)) return;
      known.add(name);
      add(config);
    } catch (error) {
      notBefore.set(name, performance.now() + FAILED_MS);
      onProblem(name, error instanceof Error ? error : new Error(String(error)));
    }
  }

  async function look(): Promise<void> {
    const leases = await storage.look();
    seenMs = performance.now();
    for (const { task } of leases) await takeUp(task);
  }

  function lookLater(): void {
    if (closed) return;
    timer = setTimeout(() => {
      // Where the database is away, owners say so.
      looking = look()
        .catch(() => undefined)
        .finally(lookLater);
    }, lookMs);
  }

  lookLater();
  return {
    async create(name, keep) {
      const lease = await storage.take(name, undefined);
      if (lease === undefined) throw new TaskExistsError(name);
      try {
        await keep?.();
      } finally {
        await lease.release();
      }
      await takeUp(name);
    },
    // A look begins so long after the one before.
    awayMs: () => Math.max(0, performance.now() - seenMs - lookMs),
    async close() {
      closed = true;
      clearTimeout(timer);
      await looking;
    },
  };
}
