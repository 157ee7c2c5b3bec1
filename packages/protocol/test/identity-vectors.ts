import { fromHex, toHex } from '@tutti/base';
import { createAuthority, encodeProof, issueToken, type LogStore } from '@tutti/identity';
import type { CryptoSuite } from '@tutti/secure-aggregation';

/** Seven clients, so that the tree has full subtrees of four, two and one. */
const CLIENTS = Array.from({ length: 7 }, (_, number) => number.toString(16).padStart(32, '0'));

const EXPIRES_AT = 1_800_000_000;

/** Known answers for enrolment: tokens with and without a position, heads of a log as it grows, and proofs in it. */
export async function buildIdentityVectors(crypto: CryptoSuite): Promise<object> {
  const seed = crypto.digest('identity vectors');
  const key = crypto.signKeyPairFromSeed(Uint8Array.from(seed));
  const log: LogStore = { read: () => [], append: async () => undefined };
  const authority = await createAuthority({ key, crypto, log });
  const heads = [authority.head()];
  for (const clientId of CLIENTS) {
    await authority.enrol(clientId);
    heads.push(authority.head());
  }
  const [clientId] = CLIENTS as [string];
  const token = (logIndex?: number) => ({
    clientId,
    expiresAt: EXPIRES_AT,
    logIndex: logIndex ?? null,
    token: toHex(
      issueToken(
        { clientId, expiresAt: EXPIRES_AT, ...(logIndex === undefined ? {} : { logIndex }) },
        key,
        crypto,
      ),
    ),
  });
  return {
    source: '@tutti/protocol, packages/protocol/test/identity-vectors.ts',
    authority: {
      seed: toHex(seed),
      publicKey: toHex(key.publicKey),
      id: toHex(crypto.digest('authority', key.publicKey)).slice(0, 32),
    },
    tokens: [token(), token(0), token(513)],
    log: {
      clients: CLIENTS,
      leaves: CLIENTS.map((id) => toHex(crypto.digest('log-leaf', fromHex(id)))),
      heads,
      inclusion: [5, 6, 7].flatMap((size) =>
        [0, size - 1].map((index) => ({
          index,
          size,
          proof: toHex(encodeProof(authority.inclusion(index, size))),
        })),
      ),
      consistency: [
        [1, 7],
        [4, 7],
        [6, 7],
        [7, 7],
      ].map(([from = 0, to = 0]) => ({
        from,
        to,
        proof: toHex(encodeProof(authority.consistency(from, to))),
      })),
    },
  };
}
