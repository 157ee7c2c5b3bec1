import { createPrivateKey } from 'node:crypto';
import { toHex, utf8 } from '@tutti/base';
import { issueToken } from '@tutti/identity';
import { clientIdOf, type ClientId, type KeyPair } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';

/** The identity of a simulated device: made from the seed, so that a run can be repeated. Never for a real device. */
export function simulatedIdentity(seed: string, user: number): { keyPair: KeyPair; id: ClientId } {
  const keyPair = nodeCrypto.signKeyPairFromSeed(identitySeed(seed, user));
  return { keyPair, id: clientIdOf(keyPair.publicKey, nodeCrypto) };
}

/**
 * The id of {@link simulatedIdentity} alone. As JWK, which OpenSSL reads eight times as fast as what real keys come as: it leaves the
 * key in a string, and this one is no secret.
 */
export function simulatedId(seed: string, user: number): ClientId {
  const d = Buffer.from(identitySeed(seed, user)).toString('base64url');
  const key = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x: '' }, format: 'jwk' });
  const { x = '' } = key.export({ format: 'jwk' });
  return clientIdOf(new Uint8Array(Buffer.from(x, 'base64url')), nodeCrypto);
}

const identitySeed = (seed: string, user: number): Uint8Array =>
  nodeCrypto.digest('simulated identity', utf8(seed), utf8(String(user)));

/** Seconds since the epoch at which simulated tokens end: no simulation lasts that long. */
const NEVER = 2 ** 40;

/** Who vouches for simulated devices. */
export interface SimulatedAuthority {
  readonly publicKey: string;
  token(clientId: string): Uint8Array;
}

/** The authority that enrols simulated devices where a level asks for one: made from the seed. Never for a real device. */
export function simulatedAuthority(seed: string): SimulatedAuthority {
  const key = nodeCrypto.signKeyPairFromSeed(nodeCrypto.digest('simulated authority', utf8(seed)));
  return {
    publicKey: toHex(key.publicKey),
    token: (clientId) => issueToken({ clientId, expiresAt: NEVER }, key, nodeCrypto),
  };
}
