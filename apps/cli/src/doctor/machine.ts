import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { StorageMissingError, type StoragePlace } from '@tutti/coordination';
import { ConfigError, readTokenFile, storeAddress } from '@tutti/server';
import { placeOf } from '../storage/place.ts';
import type { Machine, TokensSeen } from './findings.ts';

/** How long a database may be away before that is told, in milliseconds. */
const AWAY_MS = 5_000;

/**
 * Looks at where a coordinator keeps everything. Nothing is changed, and a coordinator that runs is not disturbed.
 * @param awayMs how long a database may be away before that is told, in milliseconds.
 */
export async function lookAtMachine(store: string, awayMs = AWAY_MS): Promise<Machine> {
  const address = storeAddress(store);
  const place = await placeOf(store, { unavailableMs: awayMs });
  if (address.kind === 'postgres')
    return { kind: 'database', place: place.name, ...(await lookAtStore(place)) };
  const folder = resolve(address.folder);
  const at = existing(folder);
  try {
    accessSync(at, constants.W_OK | constants.X_OK);
  } catch (error) {
    return {
      kind: 'folder',
      place: place.name,
      unwritable: (error as NodeJS.ErrnoException).code ?? 'not writable',
    };
  }
  const { bavail, bsize } = statfsSync(at);
  const machine = { kind: 'folder', place: place.name, freeBytes: bavail * bsize } as const;
  return existsSync(join(folder, 'data.mdb'))
    ? { ...machine, ...(await lookAtStore(place)) }
    : { ...machine, journals: [] };
}

/** Opens the file of tokens, as a start does. */
export function lookAtTokens(file: string | undefined): TokensSeen {
  if (file === undefined) return { file, roles: [] };
  try {
    return { file, roles: readTokenFile(file).map(({ role }) => role) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { file, problem: error.problems.join('; ').replace(/^tokens: /, ''), roles: [] };
  }
}

/** The folder, or the nearest above it that is there. */
function existing(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : existing(dirname(folder));
}

/** Reads every journal, as a start does. */
async function lookAtStore(place: StoragePlace): Promise<Pick<Machine, 'journals' | 'storeProblem'>> {
  try {
    const snapshot = await place.snapshot();
    try {
      const entries = new Map<string, number>();
      for await (const item of snapshot.items()) {
        if (item.kind !== 'entry') break;
        entries.set(item.task, (entries.get(item.task) ?? 0) + 1);
      }
      return { journals: [...entries].map(([task, count]) => ({ task, entries: count })) };
    } finally {
      await snapshot.close();
    }
  } catch (error) {
    // The first start makes it.
    if (error instanceof StorageMissingError) return { journals: [] };
    const problem = error instanceof Error ? error.message : String(error);
    return { storeProblem: problem.includes(place.name) ? problem : `${place.name}: ${problem}` };
  }
}
