import { DecodeError, fromHex, toHex } from '@tutti/base';
import type { ClientId, CryptoSuite } from './crypto-suite.ts';

/** Bytes of a client id. */
export const CLIENT_ID_BYTES = 16;

/** The id of the device that holds this identity key: first 16 bytes of H("id", key), in hexadecimal. */
export function clientIdOf(identityKey: Uint8Array, crypto: CryptoSuite): ClientId {
  return toHex(crypto.digest('id', identityKey).subarray(0, CLIENT_ID_BYTES)) as ClientId;
}

/** A client id from outside. @throws {DecodeError} naming `field`. */
export function parseClientId(value: unknown, field = 'client'): ClientId {
  if (typeof value !== 'string') throw new DecodeError(field, 'is not text');
  fromHex(value, field, CLIENT_ID_BYTES);
  return value as ClientId;
}

/** The raw bytes of an id. */
export function idBytes(id: ClientId): Uint8Array {
  return fromHex(id);
}
