import type { Ending, Point, Tracker } from './tracker.ts';

/** What is followed. */
export interface Followed {
  /** Everything that there is to keep after a step, in order: what could not be kept is asked for again. */
  pointsAfter(step: number): readonly Point[];
  /** Opens the tracker; it is tried again until it succeeds. */
  open(): Promise<Tracker>;
  /** Hears once of each time of trouble, and goes on. */
  onProblem(problem: unknown): void;
  /** Calls back once after `delayMs`; the result cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Keeps a tracker up to date. */
export interface Follower {
  /** There may be something new. Never waits, never fails. */
  nudge(): void;
  /** Tries once more to keep what is left, and closes. @throws what the tracker throws. */
  close(ending: Ending): Promise<void>;
}

/** Waits between tries: twice as long each time. */
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 300_000;

/**
 * Follows a run with a tracker. Nothing is queued: what the tracker lacks is looked up, so a server that is away for an hour costs
 * nothing, and has every point when it is back.
 */
export function follow({ pointsAfter, open, onProblem, after }: Followed): Follower {
  let tracker: Tracker | undefined;
  let last = -1;
  let work: Promise<void> | undefined;
  let again = false;
  let closed = false;
  let retryMs = FIRST_RETRY_MS;
  let cancelRetry: (() => void) | undefined;

  async function catchUp(): Promise<void> {
    if (tracker === undefined) {
      tracker = await open();
      last = Math.max(last, tracker.lastStep);
    }
    const points = pointsAfter(last);
    const newest = points.at(-1);
    if (newest === undefined) return;
    await tracker.write(points);
    last = newest.step;
  }

  function nudge(): void {
    if (closed || cancelRetry !== undefined) return;
    again = true;
    work ??= run().finally(() => (work = undefined));
  }

  async function run(): Promise<void> {
    while (again && !closed) {
      again = false;
      try {
        await catchUp();
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        if (retryMs === FIRST_RETRY_MS) onProblem(error);
        again = false;
        cancelRetry = after(retryMs, () => {
          cancelRetry = undefined;
          nudge();
        });
        retryMs = Math.min(LONGEST_RETRY_MS, 2 * retryMs);
      }
    }
  }

  return {
    nudge,
    async close(ending) {
      if (closed) return;
      closed = true;
      cancelRetry?.();
      await work;
      await catchUp();
      await tracker?.close(ending);
    },
  };
}
