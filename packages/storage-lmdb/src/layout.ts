import { join } from 'node:path';
import { EnvironmentError } from '@tutti/base';
import { StorageNewerError } from '@tutti/coordination';
import { open, type Database, type RootDatabase } from 'lmdb';

/**
 * The layout of the file. 1 (Tutti 0.1): the databases `journal` (key `[task, position]`, value an entry as JSON), `values` and
 * `blobs`. 2: beside them `meta`, whose `layout` is this number, so that an older Tutti can see what it does not know.
 */
export const LAYOUT = 2;

/** Largest database, in bytes of address space; the file grows with what is in it. */
const MAP_BYTES = 2 ** 36;

/** The databases in a file. Where it is only read, some may be missing. */
export interface Databases {
  readonly root: RootDatabase;
  readonly journal: Database<string, [string, number]>;
  readonly values: Database<Buffer, string>;
  readonly blobs: Database<Buffer, string>;
}

/** Where the data is in a folder. */
export const dataFile = (folder: string): string => join(folder, 'data.mdb');

/** Opens a file for writing, making it where it is missing. @throws {EnvironmentError} */
export function openDatabases(file: string): Databases {
  return databasesOf(openRoot(file, false));
}

/**
 * Opens a file for reading only; a writer in another process is not disturbed.
 * @throws {StorageNewerError} if its layout is a newer one. @throws {EnvironmentError}
 */
export function readDatabases(file: string, place: string): Partial<Databases> & { root: RootDatabase } {
  const root = openRoot(file, true);
  const layout = layoutOf(root);
  if (layout <= LAYOUT) return databasesOf(root);
  void root.close();
  throw new StorageNewerError(place, layout, LAYOUT);
}

/** Writes down which layout the file has from now on; an older one needs no more than that. */
export async function stampLayout({ root }: Pick<Databases, 'root'>): Promise<void> {
  const meta = root.openDB<string, string>({ name: 'meta', encoding: 'string' });
  if (meta.get('layout') === String(LAYOUT)) return;
  await meta.put('layout', String(LAYOUT));
  await root.flushed;
}

/** 1 where nothing says otherwise: the first layout did not. */
function layoutOf(root: RootDatabase): number {
  const meta = root.openDB<string, string>({ name: 'meta', encoding: 'string' }) as
    Database<string, string> | undefined;
  return Number(meta?.get('layout') ?? 1);
}

function openRoot(file: string, readOnly: boolean): RootDatabase {
  try {
    return open({
      path: file,
      mapSize: MAP_BYTES,
      maxDbs: 8,
      encoding: 'binary',
      overlappingSync: false,
      // With it a commit that fails, such as on a full disk, rejects a promise that nobody is given, which ends the process.
      eventTurnBatching: false,
      noSubdir: true,
      readOnly,
    });
  } catch (cause) {
    throw new EnvironmentError(
      `the storage in ${file} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

const databasesOf = (root: RootDatabase): Databases => ({
  root,
  journal: root.openDB<string, [string, number]>({ name: 'journal', encoding: 'string' }),
  values: root.openDB<Buffer, string>({ name: 'values', encoding: 'binary' }),
  blobs: root.openDB<Buffer, string>({ name: 'blobs', encoding: 'binary' }),
});
