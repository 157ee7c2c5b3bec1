import { DecodeError, equalBytes, fromHex, toHex } from '@tutti/base';
import type { AuthorityKey, IdentityCrypto } from './crypto.ts';
import { IdentityError } from './errors.ts';
import { isConsistent, rootOfInclusion, type TreeHash } from './merkle.ts';
import { checkWhole, LARGEST_LOG, littleEndian } from './numbers.ts';
import { CLIENT_ID_BYTES } from './token.ts';

/** An authority's log of identities: a Merkle tree over client ids in the order of their enrolment. */

/** What an authority says of its log: how many entries, and their root. */
export interface TreeHead {
  readonly size: number;
  /** 64 lower-case hexadecimal digits. */
  readonly root: string;
  /** The authority's Ed25519 signature, 128 lower-case hexadecimal digits. */
  readonly signature: string;
}

/** The tree's hashes: H with the labels "log-empty", "log-leaf" and "log-node". */
export function logHash(crypto: IdentityCrypto): TreeHash {
  return {
    empty: () => crypto.digest('log-empty'),
    leaf: (entry) => crypto.digest('log-leaf', entry),
    node: (left, right) => crypto.digest('log-node', left, right),
  };
}

/** The log's entry for a client: the 16 bytes of its id. @throws {DecodeError} for an id that is none. */
export function logEntry(clientId: string): Uint8Array {
  return fromHex(clientId, 'clientId', CLIENT_ID_BYTES);
}

/** Signs the state of a log: H("tree-head", authority key, u32 size, root). */
export function signTreeHead(
  { size, root }: { readonly size: number; readonly root: Uint8Array },
  key: AuthorityKey,
  crypto: IdentityCrypto,
): TreeHead {
  checkWhole('size', size, 0, LARGEST_LOG);
  const digest = headDigest(size, root, key.publicKey, crypto);
  return { size, root: toHex(root), signature: toHex(crypto.sign(digest, key.secretKey)) };
}

/** A tree head from outside, unverified. @throws {DecodeError} naming the first field that is not what it must be. */
export function decodeTreeHead(value: unknown): TreeHead {
  if (typeof value !== 'object' || value === null) throw new DecodeError('head', 'is not an object');
  const { size, root, signature } = value as Record<string, unknown>;
  if (!isLogSize(size)) throw new DecodeError('head.size', `is not a whole number from 0 to ${LARGEST_LOG}`);
  for (const [name, text, length] of [
    ['root', root, 32],
    ['signature', signature, 64],
  ] as const) {
    if (typeof text !== 'string') throw new DecodeError(`head.${name}`, 'is not text');
    fromHex(text, `head.${name}`, length);
  }
  return { size: size as number, root: root as string, signature: signature as string };
}

const isLogSize = (size: unknown): boolean =>
  Number.isInteger(size) && (size as number) >= 0 && (size as number) <= LARGEST_LOG;

/** @throws {IdentityError} `log-head-forged` when the authority did not sign this head. */
export function checkTreeHead(head: TreeHead, authority: Uint8Array, crypto: IdentityCrypto): void {
  // The signature covers 32 bits of the size: a larger number must not pass for a smaller one.
  if (!isLogSize(head.size)) throw new IdentityError('log-head-forged', `a head of ${head.size} entries`);
  const root = fromHex(head.root, 'head.root', 32);
  const signature = fromHex(head.signature, 'head.signature', 64);
  if (!crypto.verify(headDigest(head.size, root, authority, crypto), signature, authority))
    throw new IdentityError('log-head-forged', `the head of ${head.size} entries is not the authority's`);
}

/**
 * Checks that a client stands in the log.
 * @throws {IdentityError} `not-in-log` when its position is beyond the head, or the proof does not lead to the head's root.
 */
export function checkInLog(
  member: { readonly clientId: string; readonly index: number | undefined },
  head: TreeHead,
  proof: readonly Uint8Array[],
  crypto: IdentityCrypto,
): void {
  const { clientId, index } = member;
  if (index === undefined || index >= head.size)
    throw new IdentityError(
      'not-in-log',
      `${clientId} has position ${index ?? 'none'} in a log of ${head.size} entries`,
    );
  const hash = logHash(crypto);
  const leaf = hash.leaf(logEntry(clientId));
  const root = rootOfInclusion(hash, { leaf, index, size: head.size }, proof);
  if (root === undefined || !equalBytes(root, fromHex(head.root)))
    throw new IdentityError('not-in-log', `position ${index} is not shown to be ${clientId}`);
}

/**
 * Checks that a log has only grown since it was last seen.
 * @param proof of consistency from `before` to `after`; empty where their sizes are equal.
 * @throws {IdentityError} `log-went-back` for a smaller log, `log-forked` for one that does not begin with what was seen.
 */
export function checkGrowth(
  before: TreeHead,
  after: TreeHead,
  proof: readonly Uint8Array[],
  crypto: IdentityCrypto,
): void {
  if (after.size < before.size)
    throw new IdentityError('log-went-back', `${after.size} entries; ${before.size} were seen before`);
  const parsed = ({ size, root }: TreeHead): { size: number; root: Uint8Array } => ({
    size,
    root: fromHex(root, 'head.root', 32),
  });
  if (!isConsistent(logHash(crypto), parsed(before), parsed(after), proof))
    throw new IdentityError(
      'log-forked',
      `a log of ${after.size} entries is not shown to begin with the ${before.size} that were seen before`,
    );
}

function headDigest(
  size: number,
  root: Uint8Array,
  authority: Uint8Array,
  crypto: IdentityCrypto,
): Uint8Array {
  return crypto.digest('tree-head', authority, littleEndian(size, 4), root);
}
