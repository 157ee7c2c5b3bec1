import { fromHex } from '@tutti/base';
import {
  checkGrowth,
  checkInLog,
  checkToken,
  checkTreeHead,
  decodeProof,
  type TreeHead,
} from '@tutti/identity';
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildIdentityVectors } from '../test/identity-vectors.ts';

const FILE = new URL('../../../vectors/identity.json', import.meta.url);

interface Vectors {
  readonly authority: { readonly publicKey: string };
  readonly tokens: readonly { clientId: string; expiresAt: number; logIndex: number | null; token: string }[];
  readonly log: {
    readonly clients: readonly string[];
    readonly heads: readonly TreeHead[];
    readonly inclusion: readonly { index: number; size: number; proof: string }[];
    readonly consistency: readonly { from: number; to: number; proof: string }[];
  };
}

describe('the test vectors of identity', () => {
  it.each([nodeCrypto, portableCrypto])('are what $name gives', async (crypto) => {
    const vectors = await buildIdentityVectors(crypto);
    await expect(`${JSON.stringify(vectors, null, 2)}\n`).toMatchFileSnapshot(
      '../../../vectors/identity.json',
    );
  });

  it('check, each against the others, and against nothing else', () => {
    const { authority, tokens, log } = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;
    const [publicKey, crypto] = [fromHex(authority.publicKey), portableCrypto];
    for (const { clientId, expiresAt, logIndex, token } of tokens) {
      const check = { clientId, authority: publicKey, now: expiresAt - 1, crypto };
      expect(checkToken(fromHex(token), check).logIndex ?? null).toBe(logIndex);
      expect(() => checkToken(fromHex(token), { ...check, now: expiresAt })).toThrow('held until');
    }
    for (const head of log.heads) checkTreeHead(head, publicKey, crypto);
    const proofOf = (hex: string) => decodeProof(fromHex(hex));
    for (const { index, size, proof } of log.inclusion) {
      const head = log.heads[size] as TreeHead;
      checkInLog({ clientId: log.clients[index] as string, index }, head, proofOf(proof), crypto);
      const other = log.clients[(index + 1) % size] as string;
      expect(() => checkInLog({ clientId: other, index }, head, proofOf(proof), crypto)).toThrow();
    }
    for (const { from, to, proof } of log.consistency)
      checkGrowth(log.heads[from] as TreeHead, log.heads[to] as TreeHead, proofOf(proof), crypto);
  });
});
