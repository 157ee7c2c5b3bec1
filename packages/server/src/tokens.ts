import { createHash, timingSafeEqual } from 'node:crypto';
import { statSync } from 'node:fs';
import { readTokenFile, ROLES, type Role, type TokenEntry } from './token-file.ts';

/** Whoever shows a token: the name it was made under, never the token. */
export interface Identity {
  readonly name: string;
  readonly role: Role;
}

/** Tells tokens from what is none. */
export interface Tokens {
  /** Who shows this `Authorization` header; undefined for none, a malformed one and an unknown one, and each takes as long. */
  identify(authorization: string | undefined): Identity | undefined;
}

/** Longest header that is looked at: a token is far shorter. */
const LONGEST_HEADER = 256;

/** Whether a role lets do what `needed` does. */
export const mayDo = (role: Role, needed: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needed);

/**
 * Reads a file of tokens, and again whenever it changed: who is revoked is refused from then on. A file that is gone, or became
 * unreadable, holds no token.
 *
 * @param path undefined where no file is named: then there is no token.
 * @throws {ConfigError} if there is something wrong with the file now.
 */
export function openTokens(path: string | undefined, onProblem: (error: unknown) => void): Tokens {
  let entries: readonly TokenEntry[] = path === undefined ? [] : readTokenFile(path);
  let seen = path === undefined ? '' : stampOf(path);
  function current(): readonly TokenEntry[] {
    if (path === undefined) return entries;
    const now = stampOf(path);
    if (now === seen) return entries;
    seen = now;
    entries = [];
    try {
      entries = readTokenFile(path);
    } catch (error) {
      onProblem(error);
    }
    return entries;
  }
  return {
    identify(authorization = '') {
      const [, token = ''] = /^Bearer +(\S+) *$/i.exec(authorization.slice(0, LONGEST_HEADER)) ?? [];
      const shown = createHash('sha256').update(token).digest();
      // Every entry is compared, whichever it is: how long it takes says nothing.
      return current().reduce<Identity | undefined>(
        (found, { name, role, sha256 }) =>
          timingSafeEqual(Buffer.from(sha256, 'hex'), shown) ? { name, role } : found,
        undefined,
      );
    },
  };
}

/** Changes whenever the file does: a new one has another inode. */
function stampOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeNs} ${found.mode}`;
}
