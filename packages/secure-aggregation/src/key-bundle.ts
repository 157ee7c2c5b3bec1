import { concatBytes, DecodeError, equalBytes, messageOf, toHex } from '@tutti/base';
import type { ClientId, CohortDigest, CryptoSuite, RoundDigest } from './crypto-suite.ts';
import { RefusalError } from './errors.ts';
import { LARGEST_GROUP } from './graph.ts';
import { clientIdOf } from './ids.ts';

/** Room for an enrolment token; zeros where identity is open. */
export const TOKEN_BYTES = 96;

/** Fields of a bundle in wire order, with their lengths. */
const FIELDS = [
  ['roundDigest', 32],
  ['identityKey', 32],
  ['encryptionKey', 32],
  ['maskKey', 32],
  ['nonceCommitment', 32],
  ['seedCommitment', 32],
  ['token', TOKEN_BYTES],
  ['signature', 64],
] as const;

/** Bytes of a key bundle on the wire; every client's has the same size. */
export const KEY_BUNDLE_BYTES = FIELDS.reduce((sum, [, length]) => sum + length, 0);

/** What a client shows the cohort before it shares keys. */
export type KeyBundle = { readonly [Field in (typeof FIELDS)[number][0]]: Uint8Array };

/** The bytes of a bundle. */
export function encodeKeyBundle(bundle: KeyBundle): Uint8Array {
  return concatBytes(...FIELDS.map(([name]) => bundle[name]));
}

/** A bundle from outside. @throws {DecodeError} when it is not bytes of the one right length. */
export function decodeKeyBundle(bytes: unknown): KeyBundle {
  if (!(bytes instanceof Uint8Array)) throw new DecodeError('bundle', 'is not binary');
  if (bytes.length !== KEY_BUNDLE_BYTES)
    throw new DecodeError('bundle', `has ${bytes.length} bytes; ${KEY_BUNDLE_BYTES} are expected`);
  let at = 0;
  const entries = FIELDS.map(([name, length]) => [name, bytes.slice(at, (at += length))] as const);
  return Object.fromEntries(entries) as KeyBundle;
}

/** What a bundle's signature covers: everything before it. */
export function bundleDigest(bytes: Uint8Array, crypto: CryptoSuite): Uint8Array {
  return crypto.digest('bundle', bytes.subarray(0, KEY_BUNDLE_BYTES - 64));
}

/** One member of a cohort. */
export interface Member {
  readonly id: ClientId;
  readonly bundle: KeyBundle;
  readonly bytes: Uint8Array;
}

/** Reads a bundle and checks that it is for this round; its signature is not checked. @throws {RefusalError} with the reason. */
function readMember(bytes: Uint8Array, roundDigest: RoundDigest, crypto: CryptoSuite): Member {
  let bundle: KeyBundle;
  try {
    bundle = decodeKeyBundle(bytes);
  } catch (cause) {
    throw new RefusalError('malformed', messageOf(cause), { cause });
  }
  const id = clientIdOf(bundle.identityKey, crypto);
  if (!equalBytes(bundle.roundDigest, roundDigest))
    throw new RefusalError('wrong-round', `the bundle of ${id} is for another round description`);
  return { id, bundle, bytes };
}

/** Checks that a member signed its bundle. @throws {RefusalError} bad-signature. */
export function checkSignature({ id, bundle, bytes }: Member, crypto: CryptoSuite): void {
  if (!crypto.verify(bundleDigest(bytes, crypto), bundle.signature, bundle.identityKey))
    throw new RefusalError('bad-signature', `the bundle of ${id} is not signed by its identity key`);
}

/** Checks a bundle's round and signature. @throws {RefusalError} with the reason. */
export function checkBundle(bytes: Uint8Array, roundDigest: RoundDigest, crypto: CryptoSuite): Member {
  const member = readMember(bytes, roundDigest, crypto);
  checkSignature(member, crypto);
  return member;
}

/** The points of small order: whoever computes a secret with one of them computes a value that everybody knows. */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

/**
 * Checks the keys that a member shows, on the coordinator and on every client alike: none of low order, none seen before.
 * @param seen keys of the members before, as hexadecimal; this member's are added.
 * @throws {RefusalError} with the reason.
 */
export function checkKeys({ id, bundle }: Member, seen: Set<string>): void {
  for (const key of [bundle.encryptionKey, bundle.maskKey]) {
    // X25519 leaves the highest bit out, so keys that differ in it alone are one key.
    const reduced = key.slice();
    reduced[31] = (reduced[31] as number) & 0x7f;
    const name = toHex(reduced);
    if (LOW_ORDER.includes(name)) throw new RefusalError('low-order-key', `a key of ${id} is of low order`);
    if (seen.has(name)) throw new RefusalError('duplicate-key', `a key of ${id} stands in the group twice`);
    seen.add(name);
  }
}

/**
 * Members of a roster, checked: round, order, no id or key twice. Signatures are not: a member checks those of its neighbours,
 * which on the complete graph are all ({@link checkSignature}); what it does not check, C binds.
 * @throws {RefusalError} with the reason.
 */
export function readRoster(roster: Uint8Array, roundDigest: RoundDigest, crypto: CryptoSuite): Member[] {
  if (roster.length > LARGEST_GROUP * KEY_BUNDLE_BYTES)
    throw new RefusalError(
      'malformed',
      `a roster of ${roster.length} bytes; at most ${LARGEST_GROUP} members mask together`,
    );
  if (roster.length === 0 || roster.length % KEY_BUNDLE_BYTES !== 0) {
    throw new RefusalError('malformed', `a roster of ${roster.length} bytes is no whole number of bundles`);
  }
  const members: Member[] = [];
  const keys = new Set<string>();
  for (let at = 0; at < roster.length; at += KEY_BUNDLE_BYTES) {
    const member = readMember(roster.slice(at, at + KEY_BUNDLE_BYTES), roundDigest, crypto);
    const previous = members.at(-1);
    if (previous?.id === member.id)
      throw new RefusalError('duplicate-member', `${member.id} stands in the roster twice`);
    if (previous !== undefined && previous.id > member.id)
      throw new RefusalError('unsorted-roster', 'bundles must stand in the order of client ids');
    checkKeys(member, keys);
    members.push(member);
  }
  return members;
}

/** C = H("cohort", D, Merkle root of the sorted signed bundles). */
export function cohortDigest(
  roundDigest: RoundDigest,
  members: readonly Member[],
  crypto: CryptoSuite,
): CohortDigest {
  let level = members.map(({ bytes }) => crypto.digest('leaf', bytes));
  while (level.length > 1) {
    const above: Uint8Array[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const left = level[at] as Uint8Array;
      const right = level[at + 1];
      above.push(right === undefined ? left : crypto.digest('node', left, right));
    }
    level = above;
  }
  return crypto.digest('cohort', roundDigest, level[0] ?? new Uint8Array(32)) as CohortDigest;
}

/** What a bundle's nonce commitment is: H("commit-nonce", D, r). */
export function nonceCommitment(
  roundDigest: RoundDigest,
  nonce: Uint8Array,
  crypto: CryptoSuite,
): Uint8Array {
  return crypto.digest('commit-nonce', roundDigest, nonce);
}
