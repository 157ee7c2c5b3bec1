import { MAX_WAIT_MS } from './limits.ts';
import { integer, textLike } from './schema.ts';

/** Field types that several messages share. Each states its range, and a refused value names its path. */

/** 32 bytes as lower-case hexadecimal: a digest, or a public key. */
export const hex32 = textLike(/^[0-9a-f]{64}$/, '32 bytes of lower-case hexadecimal are expected');

/** A task's name: lower-case letters, digits and hyphens, 1 to 63 characters. */
export const taskName = textLike(
  /^[a-z0-9][a-z0-9-]{0,62}$/,
  'a name of a-z, 0-9 and "-", at most 63, is expected',
);

/** Counts attempts over the life of a task; never goes back. */
export const attemptNumber = integer(1, 0xffff_ffff);

/** Milliseconds to wait. */
export const waitMs = integer(0, MAX_WAIT_MS);
