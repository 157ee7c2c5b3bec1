import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { UsageError } from '@tutti/base';
import * as z from 'zod';
import { ConfigError } from './errors.ts';
import { pathText } from './paths.ts';

/** What a token lets do; each role may do what those before it may. */
export const ROLES = ['read', 'operate'] as const;
/** What a token lets do. */
export type Role = (typeof ROLES)[number];

/** How a token is told from other secrets. */
const PREFIX = 'tutti_';

/** Random bytes of a token: nobody guesses it, so its plain SHA-256 is enough to keep. */
const TOKEN_BYTES = 32;

/** Most tokens in a file: each request with a token is compared with all of them. */
const MOST_TOKENS = 1_000;

export const tokenName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a name of a-z, 0-9 and "-", at most 63, is expected');

const fileSchema = z.strictObject({
  v: z.literal(1),
  tokens: z
    .array(
      z.strictObject({
        name: tokenName,
        role: z.enum(ROLES),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        createdAt: z.iso.datetime(),
      }),
    )
    .max(MOST_TOKENS),
});

/** A token as it is kept: not the token. */
export type TokenEntry = z.output<typeof fileSchema>['tokens'][number];

/** What is kept of a token. */
export const tokenHash = (token: string): string => createHash('sha256').update(token).digest('hex');

/**
 * The tokens in a file; none where there is no file.
 * @throws {ConfigError} for a file that is none of tokens, or that others may write to.
 */
export function readTokenFile(path: string): readonly TokenEntry[] {
  const refuse = (problem: string): never => {
    throw new ConfigError([`tokens: ${path} ${problem}`]);
  };
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if ((found.mode & 0o022) !== 0) refuse('may be written to by others; chmod 600 it');
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    refuse(`cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'it is no JSON'}`);
  }
  const result = fileSchema.safeParse(value);
  if (result.success) return result.data.tokens;
  const [issue] = result.error.issues;
  return refuse(`${pathText(issue?.path ?? [])}: ${issue?.message ?? 'is not of tokens'}`);
}

/**
 * Makes a token and keeps its hash. A coordinator takes it at once.
 * @returns the token: nobody can read it again.
 * @throws {UsageError} if there is one of this name. @throws {ConfigError} for a file that is none of tokens.
 */
export function createToken(path: string, { name, role }: Pick<TokenEntry, 'name' | 'role'>): string {
  if (!tokenName.safeParse(name).success)
    throw new UsageError(`${name} is no name of a token: a-z, 0-9 and "-", at most 63, are expected`);
  const token = PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
  changeTokenFile(path, (tokens) => {
    if (tokens.some((entry) => entry.name === name))
      throw new UsageError(`there is a token named ${name}; take another name, or revoke it first`);
    if (tokens.length >= MOST_TOKENS)
      throw new UsageError(`${path} holds ${tokens.length} tokens; revoke some first`);
    return [...tokens, { name, role, sha256: tokenHash(token), createdAt: new Date().toISOString() }];
  });
  return token;
}

/** Takes a token back. A coordinator refuses it at once. @throws {UsageError} if there is none of this name. */
export function revokeToken(path: string, name: string): void {
  changeTokenFile(path, (tokens) => {
    const left = tokens.filter((entry) => entry.name !== name);
    if (left.length === tokens.length) throw new UsageError(`there is no token named ${name} in ${path}`);
    return left;
  });
}

/** Writes a new file beside, whose name keeps others out meanwhile, and puts it in the old one's place when it is on the disk. */
function changeTokenFile(
  path: string,
  change: (tokens: readonly TokenEntry[]) => readonly TokenEntry[],
): void {
  const beside = `${path}.new`;
  let file: number;
  try {
    file = openSync(beside, 'wx', 0o600);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UsageError(
      code === 'EEXIST'
        ? `another tutti token changes ${path}; if none runs, remove ${beside}`
        : `${path} cannot be written: ${code ?? String(cause)}`,
      { cause },
    );
  }
  try {
    const tokens = change(readTokenFile(path));
    writeSync(file, `${JSON.stringify({ v: 1, tokens }, null, 2)}\n`);
    fsyncSync(file);
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
