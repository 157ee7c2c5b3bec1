import { join } from 'node:path';
import { systemRandom, toHex, wipe } from '@tutti/base';
import { ensureFolder, holdFolder } from '@tutti/base/node';
import { createAuthority, type Authority, type AuthorityKey } from '@tutti/identity';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { AuthorityInUseError } from './errors.ts';
import { fileLog } from './file-log.ts';
import { readSecret, writeSecret } from './secret-file.ts';

/** An authority's folder: its signing key, the secret that its service asks for, and its log. */
const KEY_FILE = 'key';
const SECRET_FILE = 'secret';
const LOG_FILE = 'log';

/**
 * Makes an authority in `folder`: a new key and a new secret, each in a file that only its owner can read.
 *
 * @returns the public key, as hexadecimal: what apps pin and coordinators name.
 * @throws {AuthorityFolderError} if there is one already; nothing is overwritten.
 */
export function initAuthority(folder: string): string {
  ensureFolder(folder, 0o700);
  const random = systemRandom();
  for (const name of [KEY_FILE, SECRET_FILE]) {
    const bytes = random.bytes(32);
    writeSecret(join(folder, name), bytes);
    wipe(bytes);
  }
  return authorityPublicKey(folder);
}

/** The public key of the authority in `folder`, as hexadecimal. @throws {AuthorityFolderError} */
export function authorityPublicKey(folder: string): string {
  const key = keyOf(folder);
  wipe(key.secretKey);
  return toHex(key.publicKey);
}

/** The secret that the service of the authority in `folder` asks for, as hexadecimal. @throws {AuthorityFolderError} */
export function authoritySecret(folder: string): string {
  const secret = readSecret(join(folder, SECRET_FILE));
  const text = toHex(secret);
  wipe(secret);
  return text;
}

function keyOf(folder: string): AuthorityKey {
  const seed = readSecret(join(folder, KEY_FILE));
  const key = nodeCrypto.signKeyPairFromSeed(seed);
  wipe(seed);
  return key;
}

/**
 * Opens the authority in `folder` with its log. One process at a time: two would give one position to two clients.
 *
 * @param options.days that a token holds unless it is asked for otherwise; 30 by default.
 * @throws {AuthorityFolderError} if there is none; {AuthorityInUseError} if another process has it open.
 */
export async function openAuthority(folder: string, options: { days?: number } = {}): Promise<Authority> {
  const key = keyOf(folder);
  const letGo = holdFolder(folder, (pid) => new AuthorityInUseError(folder, pid));
  try {
    const log = fileLog(join(folder, LOG_FILE));
    const authority = await createAuthority({ ...options, key, crypto: nodeCrypto, log });
    return {
      ...authority,
      async close() {
        await authority.close();
        letGo();
      },
    };
  } catch (error) {
    wipe(key.secretKey);
    letGo();
    throw error;
  }
}
