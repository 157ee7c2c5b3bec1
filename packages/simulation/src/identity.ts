import { utf8 } from '@tutti/base';
import { clientIdOf, type ClientId, type KeyPair } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';

/** The identity of a simulated device: made from the seed, so that a run can be repeated. Never for a real device. */
export function simulatedIdentity(seed: string, user: number): { keyPair: KeyPair; id: ClientId } {
  const keyPair = nodeCrypto.signKeyPairFromSeed(
    nodeCrypto.digest('simulated identity', utf8(seed), utf8(String(user))),
  );
  return { keyPair, id: clientIdOf(keyPair.publicKey, nodeCrypto) };
}
