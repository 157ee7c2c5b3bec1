import { concatBytes, DecodeError, equalBytes, fromHex, messageOf } from '@tutti/base';
import type { AuthorityKey, IdentityCrypto } from './crypto.ts';
import { IdentityError, type MemberProblem } from './errors.ts';
import { checkWhole, fromLittleEndian, LARGEST_LOG, LATEST_SECOND, littleEndian } from './numbers.ts';

/** Bytes of an enrolment token: the room that every key bundle has for one. */
export const TOKEN_BYTES = 96;

/** Bytes of a client id. */
export const CLIENT_ID_BYTES = 16;

/** Everything before the signature. */
const HEADER_BYTES = 32;

const VERSION = 1;
const NOT_LOGGED = 0;
const LOGGED = 1;

/** Where each field of the header begins and ends. */
const AT = {
  version: [0, 1],
  kind: [1, 2],
  expiry: [2, 8],
  logIndex: [8, 12],
  zeros: [12, 16],
  authority: [16, 32],
} as const;

/** What a token says. */
export interface Token {
  /** First 16 bytes of H("authority", public key): which authority signed, before anything is verified. */
  readonly authorityId: Uint8Array;
  /** Seconds since the epoch from which it no longer holds. */
  readonly expiresAt: number;
  /** Position of the client in the authority's log; undefined for an authority that keeps none. */
  readonly logIndex: number | undefined;
}

/** What a token is issued for. */
export interface TokenFields {
  /** 32 lower-case hexadecimal digits. */
  readonly clientId: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  readonly logIndex?: number;
}

/**
 * A token: the authority's signature over a client id, an expiry and a position in its log. It holds for every task and
 * every coordinator that trusts the authority, and is worth nothing without the identity key behind the client id.
 *
 * Layout, little-endian: version 1 (1 byte) · kind (1: 0 not logged, 1 logged) · expiry in seconds (6) · log position (4) · zeros
 * (4) · authority id (16) · Ed25519 signature over H("token", authority key, client id, the 32 bytes before) (64).
 *
 * @throws {DecodeError} for a client id that is none, {UsageError} for an expiry or a position out of range.
 */
export function issueToken(fields: TokenFields, key: AuthorityKey, crypto: IdentityCrypto): Uint8Array {
  const { clientId, expiresAt, logIndex } = fields;
  checkWhole('expiresAt', expiresAt, 1, LATEST_SECOND);
  checkWhole('logIndex', logIndex ?? 0, 0, LARGEST_LOG - 1);
  const header = concatBytes(
    Uint8Array.of(VERSION, logIndex === undefined ? NOT_LOGGED : LOGGED),
    littleEndian(expiresAt, 6),
    littleEndian(logIndex ?? 0, 4),
    new Uint8Array(4),
    authorityId(key.publicKey, crypto),
  );
  const digest = tokenDigest(clientId, header, key.publicKey, crypto);
  return concatBytes(header, crypto.sign(digest, key.secretKey));
}

/** What a token says, unverified. @throws {DecodeError} for bytes that are no token of this version. */
export function decodeToken(bytes: Uint8Array): Token {
  if (bytes.length !== TOKEN_BYTES)
    throw new DecodeError('token', `has ${bytes.length} bytes; ${TOKEN_BYTES} are expected`);
  const part = (name: keyof typeof AT): Uint8Array => bytes.slice(...AT[name]);
  const version = fromLittleEndian(part('version'));
  if (version !== VERSION) throw new DecodeError('token.version', `is ${version}; ${VERSION} is expected`);
  const kind = fromLittleEndian(part('kind'));
  const logIndex = fromLittleEndian(part('logIndex'));
  if (kind > LOGGED || (kind === NOT_LOGGED && logIndex !== 0) || logIndex >= LARGEST_LOG)
    throw new DecodeError('token.logIndex', `is ${logIndex} in a token of kind ${kind}`);
  if (fromLittleEndian(part('zeros')) !== 0) throw new DecodeError('token.zeros', 'are not zero');
  return {
    authorityId: part('authority'),
    expiresAt: fromLittleEndian(part('expiry')),
    logIndex: kind === LOGGED ? logIndex : undefined,
  };
}

/** What a token is held against. */
export interface TokenCheck {
  /** The client that shows it. */
  readonly clientId: string;
  /** The authority's public key, 32 bytes. */
  readonly authority: Uint8Array;
  /** Seconds since the epoch. */
  readonly now: number;
  readonly crypto: IdentityCrypto;
}

/**
 * Checks that `authority` enrolled the client that shows this token, and that it still holds.
 * @returns what the token says.
 * @throws {IdentityError} `token-missing` (all zero), `token-malformed`, `token-wrong-authority`, `token-expired`, or
 *   `token-forged`: not signed by the authority, or for another client id.
 */
export function checkToken(bytes: Uint8Array, { clientId, authority, now, crypto }: TokenCheck): Token {
  if (bytes.every((byte) => byte === 0)) throw refusal('token-missing', `${clientId} shows no token`);
  let token: Token;
  try {
    token = decodeToken(bytes);
  } catch (cause) {
    throw new IdentityError('token-malformed', messageOf(cause), { cause });
  }
  if (!equalBytes(token.authorityId, authorityId(authority, crypto)))
    throw refusal('token-wrong-authority', `the token of ${clientId} names another authority`);
  if (token.expiresAt <= now)
    throw refusal('token-expired', `the token of ${clientId} held until ${token.expiresAt}; it is ${now}`);
  const digest = tokenDigest(clientId, bytes.slice(0, HEADER_BYTES), authority, crypto);
  if (!crypto.verify(digest, bytes.slice(HEADER_BYTES), authority))
    throw refusal('token-forged', `the token of ${clientId} is not signed for it by the authority`);
  return token;
}

const refusal = (reason: MemberProblem, detail: string): IdentityError => new IdentityError(reason, detail);

/** First 16 bytes of H("authority", public key). */
export function authorityId(publicKey: Uint8Array, crypto: IdentityCrypto): Uint8Array {
  return crypto.digest('authority', publicKey).slice(0, 16);
}

function tokenDigest(
  clientId: string,
  header: Uint8Array,
  publicKey: Uint8Array,
  crypto: IdentityCrypto,
): Uint8Array {
  return crypto.digest('token', publicKey, fromHex(clientId, 'clientId', CLIENT_ID_BYTES), header);
}
