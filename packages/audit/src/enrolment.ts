import { toHex, utf8 } from '@tutti/base';
import { issueToken } from '@tutti/identity';
import type { KeyPair } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import type { Setting } from './lie.ts';

/** Who enrols the members of audited attempts. */

/** Tokens hold until then, in seconds: longer than any attempt. */
export const TOKENS_END = 1_000_000_000;

const keyOf = (name: string): KeyPair =>
  nodeCrypto.signKeyPairFromSeed(nodeCrypto.digest('audit authority', utf8(name)));

/** The authority that devices trust, and one that the coordinator made for itself. */
export const AUTHORITY: KeyPair = keyOf('trusted');
export const OWN_AUTHORITY: KeyPair = keyOf('of the coordinator');

export const AUTHORITY_HEX = toHex(AUTHORITY.publicKey);

/** A federation at the level `enrolled`: everybody has a token, and trusts one authority. */
export function enrolled(): Setting {
  return {
    task: { identity: { level: 'enrolled', authority: AUTHORITY_HEX } },
    policy: { identity: 'enrolled', authorities: [AUTHORITY_HEX] },
    device: () => ({
      token: async ({ clientId }) => issueToken({ clientId, expiresAt: TOKENS_END }, AUTHORITY, nodeCrypto),
    }),
  };
}
