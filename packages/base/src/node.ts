/** What only Node has: folders on a disk. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { EnvironmentError } from './errors.ts';

/**
 * Makes a folder and the ones above it that are missing. One step at a time: Node's own recursive mkdir never returns on file
 * systems that refuse new folders with ENOENT, such as /proc.
 *
 * @param mode permissions of the folders that are made, as for mkdir; 0o777 less the process's mask by default.
 * @throws {EnvironmentError} naming the folder that cannot be made, and why.
 */
export function ensureFolder(path: string, mode = 0o777): void {
  const missing: string[] = [];
  let at = resolve(path);
  while (!isFolder(at)) {
    missing.push(at);
    at = dirname(at);
  }
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode });
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code === 'EEXIST' && isFolder(folder)) continue;
      throw new EnvironmentError(`the folder ${folder} cannot be made: ${code ?? message}`, { cause });
    }
  }
}

function isFolder(path: string): boolean {
  let found;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOTDIR') throw notAFolder(dirname(path), cause);
    throw new EnvironmentError(`${path} cannot be read: ${code ?? message}`, { cause });
  }
  if (found !== undefined && !found.isDirectory()) throw notAFolder(path);
  return found !== undefined;
}

const notAFolder = (path: string, cause?: unknown): EnvironmentError =>
  new EnvironmentError(`${path} is a file; a folder is needed`, { cause });
