import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { fromHex, toHex, wipe } from '@tutti/base';
import { AuthorityFolderError } from './errors.ts';

/** Permissions of others on a file, as bits of its mode. */
const OTHERS = 0o077;

/** Writes 32 secret bytes to a new file, as hexadecimal, readable by its owner only. @throws {AuthorityFolderError} if it is there. */
export function writeSecret(path: string, secret: Uint8Array): void {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new AuthorityFolderError(
      code === 'EEXIST' ? `${path} is there already; it is not overwritten` : `${path}: ${code ?? message}`,
      { cause },
    );
  }
  try {
    chmodSync(path, 0o600);
    writeSync(file, `${toHex(secret)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The 32 bytes of such a file. @throws {AuthorityFolderError} when it is missing, damaged or readable by others. */
export function readSecret(path: string): Uint8Array {
  if (!existsSync(path))
    throw new AuthorityFolderError(`there is no ${path}; make one with: tutti authority init`);
  const { mode } = statSync(path);
  if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
    throw new AuthorityFolderError(
      `${path} has permissions ${(mode & 0o777).toString(8)}; others can read it (chmod 600 ${path})`,
    );
  const bytes = readFileSync(path);
  try {
    return fromHex(bytes.toString('latin1').trim(), path, 32);
  } catch (cause) {
    // The cause names the file and the length, never what is in it.
    throw new AuthorityFolderError(cause instanceof Error ? cause.message : path, { cause });
  } finally {
    wipe(bytes);
  }
}
