import { concatBytes, secretCopy } from '@tutti/base';
import type { ClientId, CohortDigest, CryptoSuite } from './crypto-suite.ts';
import { RefusalError } from './errors.ts';
import { idBytes } from './ids.ts';

/** A share of b and a share of the mask secret key. */
export const SHARE_PAYLOAD_BYTES = 64;

/** On the wire: u16 position in the roster (recipient going up, sender coming down), then the sealed payload. */
export const SEALED_SHARE_BYTES = 2 + SHARE_PAYLOAD_BYTES + 16;

/** An unmask answer's record: u16 position of the neighbour, then one share of it. */
export const UNMASK_RECORD_BYTES = 2 + 32;

/** A forwarded signature's record: u16 position of the signer, then its signature of the survivors. */
export const SIGNATURE_RECORD_BYTES = 2 + 64;

/** A record of a run: a position in the roster and what stands there. */
export interface Indexed {
  readonly index: number;
  readonly body: Uint8Array;
}

/** A run of records as bytes. */
export function encodeRecords(records: readonly Indexed[]): Uint8Array {
  return concatBytes(
    ...records.flatMap(({ index, body }) => [Uint8Array.of(index & 0xff, index >>> 8), body]),
  );
}

/** Records of `recordBytes` each, positions strictly rising and below `members`. @throws {RefusalError} malformed. */
export function decodeRecords(bytes: Uint8Array, recordBytes: number, members: number): Indexed[] {
  if (bytes.length % recordBytes !== 0)
    throw new RefusalError(
      'malformed',
      `${bytes.length} bytes are no whole number of records of ${recordBytes}`,
    );
  const records: Indexed[] = [];
  for (let at = 0; at < bytes.length; at += recordBytes) {
    const index = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    if (index >= members)
      throw new RefusalError('not-a-member', `position ${index} is outside a roster of ${members}`);
    if (index <= (records.at(-1)?.index ?? -1))
      throw new RefusalError('malformed', `positions must rise; ${index} does not`);
    records.push({ index, body: secretCopy(bytes.subarray(at + 2, at + recordBytes)) });
  }
  return records;
}

/** The nonce of what `from` seals for `to`: fresh, since C and both ids are in it and the key lives for one round. */
export function shareNonce(
  cohort: CohortDigest,
  from: ClientId,
  to: ClientId,
  crypto: CryptoSuite,
): Uint8Array {
  return crypto.digest('nonce', cohort, idBytes(from), idBytes(to)).slice(0, 24);
}

/** Seed of the mask between two clients; the same for both. */
export function pairSeed(
  cohort: CohortDigest,
  a: ClientId,
  b: ClientId,
  shared: Uint8Array,
  crypto: CryptoSuite,
): Uint8Array {
  const [low, high] = a < b ? [a, b] : [b, a];
  return crypto.digest('pair', cohort, idBytes(low), idBytes(high), shared);
}

/** Key of the mask that hides a client's input until its survival is known. */
export function selfSeed(
  cohort: CohortDigest,
  id: ClientId,
  seed: Uint8Array,
  crypto: CryptoSuite,
): Uint8Array {
  return crypto.digest('self', cohort, idBytes(id), seed);
}

/** The sign with which `own` adds the mask it has with `other`: the lower id adds, the higher takes away. */
export function pairSign(own: ClientId, other: ClientId): 1 | -1 {
  return own < other ? 1 : -1;
}

/** V = H("survivors", C, bitmap of U3): what members of an active group sign before anyone unmasks. */
export function survivorDigest(cohort: CohortDigest, survivors: Uint8Array, crypto: CryptoSuite): Uint8Array {
  return crypto.digest('survivors', cohort, survivors);
}
