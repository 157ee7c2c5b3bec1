import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { TrackerError } from './errors.ts';
import { lastStepIn, scalarsRecord, versionRecord } from './event-record.ts';
import type { Point, Tracker } from './tracker.ts';

/** How TensorBoard knows a file of events. */
const PREFIX = 'events.out.tfevents.';

/**
 * Event files for `tensorboard --logdir`: one folder a run. A process begins a file of its own, beside those of earlier ones, when it has
 * something to say.
 * @throws {TrackerError} if the folder cannot be read or written.
 */
export async function tensorboardTracker({
  folder,
  nowMs = Date.now,
}: {
  readonly folder: string;
  readonly nowMs?: () => number;
}): Promise<Tracker> {
  const name = `tensorboard:${folder}`;
  const guarded = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => {
      throw new TrackerError(name, cause instanceof Error ? cause.message : String(cause), { cause });
    });
  await guarded(mkdir(folder, { recursive: true }));
  const lastStep = await guarded(lastStepUnder(folder));
  let file: string | undefined;
  async function begun(): Promise<string> {
    if (file !== undefined) return file;
    const seconds = Math.floor(nowMs() / 1_000);
    const fresh = join(folder, `${PREFIX}${seconds}.${hostname()}.${process.pid}.${lastStep + 1}`);
    await writeFile(fresh, versionRecord(seconds), { flag: 'wx' });
    return (file = fresh);
  }
  return {
    name,
    lastStep,
    write: (points) => guarded(begun().then((path) => appendFile(path, recordsOf(points)))),
    close: async () => undefined,
  };
}

function recordsOf(points: readonly Point[]): Uint8Array {
  return Buffer.concat(points.map(({ atMs, step, scalars }) => scalarsRecord(atMs / 1_000, step, scalars)));
}

async function lastStepUnder(folder: string): Promise<number> {
  const files = (await readdir(folder)).filter((file) => file.startsWith(PREFIX));
  const steps = await Promise.all(files.map(async (file) => lastStepIn(await readFile(join(folder, file)))));
  return Math.max(-1, ...steps);
}
