import { phaseDigest, type CoordinatorMessage } from '@tutti/protocol';
import type { CryptoSuite, KeyPair } from '@tutti/secure-aggregation';
import type { Attempt, Outgoing } from './attempt.ts';

/** What messages of a phase are signed with. */
interface Signer {
  readonly crypto: CryptoSuite;
  readonly keyPair: KeyPair;
}

/** A message of a phase, signed over the round digest, the group and its body. */
export function signedMessage(
  attempt: Attempt,
  message: Outgoing,
  { crypto, keyPair }: Signer,
): CoordinatorMessage {
  const number = attempt.description.attempt;
  if (message.type === 'not-included') return { type: 'outcome', outcome: 'not-included', attempt: number };
  const group = Uint8Array.of(message.group & 0xff, message.group >>> 8);
  const sign = (body: Uint8Array): Uint8Array =>
    crypto.sign(phaseDigest(message.type, attempt.digest, [group, body], crypto), keyPair.secretKey);
  switch (message.type) {
    case 'roster':
      return { ...message, attempt: number, signature: sign(message.bundles) };
    case 'relay-shares':
      return { ...message, attempt: number, signature: sign(message.shares) };
    case 'survivors':
      return { ...message, attempt: number, signature: sign(message.survivors) };
  }
}

/** Phase 0: the description, signed. */
export function signedDescription(
  { description, digest }: Attempt,
  { crypto, keyPair }: Signer,
): CoordinatorMessage {
  const signature = crypto.sign(phaseDigest('describe', digest, [], crypto), keyPair.secretKey);
  return { type: 'describe', description: structuredClone(description), signature };
}
