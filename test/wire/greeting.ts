import { encodeMessage, helloDigest, PROTOCOL_VERSION, type CoordinatorMessage } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import type { KeyPair } from '@tutti/secure-aggregation';

/** The greeting of somebody with `identity`, in task films, that answers a coordinator's challenge. */
export function greetingFor(
  { nonce, coordinatorKey }: Extract<CoordinatorMessage, { type: 'challenge' }>,
  identity: KeyPair,
): Uint8Array {
  const digest = helloDigest(nonce, 'films', coordinatorKey, nodeCrypto);
  return encodeMessage({
    ...{ type: 'hello', protocol: PROTOCOL_VERSION, task: 'films', identityKey: identity.publicKey },
    signature: nodeCrypto.sign(digest, identity.secretKey),
  });
}
