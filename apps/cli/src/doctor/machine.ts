import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { openLmdbStorage, StorageLockedError } from '@tutti/storage-lmdb';
import type { Machine } from './findings.ts';

/** Looks at the machine that a coordinator keeps its folder on. Nothing is written where no store is yet. */
export async function lookAtMachine(folder: string, tasks: readonly string[]): Promise<Machine> {
  const at = existing(resolve(folder));
  try {
    accessSync(at, constants.W_OK | constants.X_OK);
  } catch (error) {
    return { folder, unwritable: (error as NodeJS.ErrnoException).code ?? 'not writable' };
  }
  const { bavail, bsize, blocks } = statfsSync(at);
  const space = { folder, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  return existsSync(resolve(folder, 'data.mdb'))
    ? { ...space, ...(await lookAtStore(folder, tasks)) }
    : space;
}

/** The folder, or the nearest above it that is there. */
function existing(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : existing(dirname(folder));
}

async function lookAtStore(
  folder: string,
  tasks: readonly string[],
): Promise<Pick<Machine, 'heldBy' | 'journals' | 'storeProblem'>> {
  try {
    const { store, close } = await openLmdbStorage(folder, nodeCrypto);
    try {
      const read = async (task: string) => ({ task, entries: (await store.readJournal(task)).length });
      return { journals: await Promise.all(tasks.map(read)) };
    } finally {
      await close();
    }
  } catch (error) {
    if (error instanceof StorageLockedError) return { heldBy: error.pid };
    return { storeProblem: `${folder}: ${error instanceof Error ? error.message : String(error)}` };
  }
}
