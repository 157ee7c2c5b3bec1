import type { RoundReport } from '@tutti/simulation';
import { mlflowSecrets, openTracker, type Ending, type Point, type Tracker } from '@tutti/trackers';
import { pointOf } from './points.ts';

/** The trackers of one run in this process. */
export interface TrackedRun {
  add(report: RoundReport): void;
  /** Waits until everything is kept. @throws {TrackerError} what could not be. */
  close(ending: Ending): Promise<void>;
}

/**
 * Opens the trackers at `addresses` before the run begins, so that one that cannot be reached is told at once.
 * @throws {TrackerError} naming it.
 */
export async function openTrackers(
  addresses: readonly string[],
  run: { readonly name: string; readonly id: string; readonly settings: Readonly<Record<string, string>> },
): Promise<TrackedRun> {
  const secrets = mlflowSecrets(process.env);
  const trackers = await Promise.all(addresses.map((address) => openTracker(address, run, secrets)));
  const kept = trackers.map((tracker) => keeping(tracker));
  return {
    add(report) {
      const point = pointOf(report, Date.now());
      if (point !== undefined) for (const one of kept) one.add(point);
    },
    async close(ending) {
      await Promise.all(kept.map((one) => one.close(ending)));
    },
  };
}

/** Writes one after the other what gathers meanwhile; the first trouble is told at the end. */
function keeping(tracker: Tracker): { add(point: Point): void; close(ending: Ending): Promise<void> } {
  let gathered: Point[] = [];
  let work: Promise<void> = Promise.resolve();
  return {
    add(point) {
      gathered.push(point);
      if (gathered.length > 1) return;
      work = work.then(async () => {
        const points = gathered;
        gathered = [];
        await tracker.write(points);
      });
      work.catch(() => undefined);
    },
    async close(ending) {
      await work;
      await tracker.close(ending);
    },
  };
}
