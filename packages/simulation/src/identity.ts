import { toHex, utf8 } from '@tutti/base';
import { issueToken } from '@tutti/identity';
import { clientIdOf, type ClientId, type KeyPair } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';

/** The identity of a simulated device: made from the seed, so that a run can be repeated. Never for a real device. */
export function simulatedIdentity(seed: string, user: number): { keyPair: KeyPair; id: ClientId } {
  const keyPair = nodeCrypto.signKeyPairFromSeed(
    nodeCrypto.digest('simulated identity', utf8(seed), utf8(String(user))),
  );
  return { keyPair, id: clientIdOf(keyPair.publicKey, nodeCrypto) };
}

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
