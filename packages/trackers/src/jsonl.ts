import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TrackerError } from './errors.ts';
import type { Point, Tracker } from './tracker.ts';

/**
 * One JSON object a line: `{"step":1,"atMs":…,"quality/hr_at_10":…}`. A file that is there is gone on with; a line that a crash or
 * a full disk cut off is ended, and counts for nothing.
 * @throws {TrackerError} if the file cannot be read or written.
 */
export async function jsonlTracker({ file }: { readonly file: string }): Promise<Tracker> {
  const name = `jsonl:${file}`;
  const guarded = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => {
      throw new TrackerError(name, cause instanceof Error ? cause.message : String(cause), { cause });
    });
  await guarded(mkdir(dirname(file), { recursive: true }));
  const before = await guarded(readIfThere(file));
  const lastStep = Math.max(-1, ...before.split('\n').map(stepOf));
  let isCut = before !== '' && !before.endsWith('\n');
  return {
    name,
    lastStep,
    async write(points) {
      const lines = (isCut ? '\n' : '') + points.map(lineOf).join('');
      isCut = true;
      await guarded(appendFile(file, lines));
      isCut = false;
    },
    close: async () => undefined,
  };
}

const lineOf = ({ step, atMs, scalars }: Point): string => `${JSON.stringify({ step, atMs, ...scalars })}\n`;

function stepOf(line: string): number {
  try {
    const { step } = JSON.parse(line) as { step?: unknown };
    return typeof step === 'number' && Number.isSafeInteger(step) ? step : -1;
  } catch {
    return -1;
  }
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
