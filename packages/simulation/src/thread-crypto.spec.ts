import { systemRandom } from '@tutti/base';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { threadCrypto } from './thread-crypto.ts';

const pair = nodeCrypto.signKeyPairFromSeed(new Uint8Array(32).fill(7));
const other = nodeCrypto.signKeyPairFromSeed(new Uint8Array(32).fill(8));

describe('the crypto suite of a thread', () => {
  it('verifies one signature on the same bytes once, and everything else anew', () => {
    let verified = 0;
    const suite = threadCrypto({
      ...nodeCrypto,
      verify: (...input) => {
        verified++;
        return nodeCrypto.verify(...input);
      },
    });
    const message = Uint8Array.of(1, 2, 3);
    const signature = nodeCrypto.sign(message, pair.secretKey);
    for (let i = 0; i < 3; i++) expect(suite.verify(message, signature, pair.publicKey)).toBe(true);
    expect(verified).toBe(1);
    const forged = signature.slice();
    forged[5] = (forged[5] as number) ^ 1;
    for (let i = 0; i < 2; i++) {
      expect(suite.verify(Uint8Array.of(1, 2, 4), signature, pair.publicKey)).toBe(false);
      expect(suite.verify(message, forged, pair.publicKey)).toBe(false);
      expect(suite.verify(message, signature, other.publicKey)).toBe(false);
    }
    expect(verified).toBe(7);
  });

  it('is not fooled by bytes that change after they were verified', () => {
    const suite = threadCrypto(nodeCrypto);
    const message = Uint8Array.of(1, 2, 3);
    const signature = nodeCrypto.sign(message, pair.secretKey);
    expect(suite.verify(message, signature, pair.publicKey)).toBe(true);
    message[0] = 9;
    expect(suite.verify(message, signature, pair.publicKey)).toBe(false);
  });

  it('hashes one phase message once for all whom it goes to, one after another, and everything else anew', () => {
    let hashed = 0;
    const suite = threadCrypto({
      ...nodeCrypto,
      digest: (...input) => {
        hashed++;
        return nodeCrypto.digest(...input);
      },
    });
    const body = Uint8Array.of(1, 2, 3);
    const expected = nodeCrypto.digest('phase', body);
    suite.digest('phase', body).fill(0);
    expect(suite.digest('phase', body.slice())).toEqual(expected);
    expect(hashed).toBe(1);
    expect(suite.digest('phase', body, new Uint8Array(0))).not.toEqual(expected);
    body[0] = 9;
    expect(suite.digest('phase', body)).toEqual(nodeCrypto.digest('phase', body));
    expect(suite.digest('round', body)).toEqual(nodeCrypto.digest('round', body));
    expect(hashed).toBe(4);
  });

  it('agrees on a key once for both sides, and every time with whom it does not know', () => {
    let agreed = 0;
    const suite = threadCrypto({
      ...nodeCrypto,
      sharedKey: (...input) => {
        agreed++;
        return nodeCrypto.sharedKey(...input);
      },
    });
    const random = systemRandom();
    const [a, b, stranger] = [
      suite.boxKeyPair(random),
      suite.boxKeyPair(random),
      nodeCrypto.boxKeyPair(random),
    ];
    const expected = nodeCrypto.sharedKey(b.publicKey, a.secretKey);
    const first = suite.sharedKey(b.publicKey, a.secretKey);
    expect(first).toEqual(expected);
    // Each side wipes its own.
    first.fill(0);
    expect(suite.sharedKey(a.publicKey, b.secretKey)).toEqual(expected);
    expect(agreed).toBe(1);
    const other = nodeCrypto.sharedKey(stranger.publicKey, a.secretKey);
    expect(suite.sharedKey(stranger.publicKey, a.secretKey)).toEqual(other);
    expect(suite.sharedKey(a.publicKey, stranger.secretKey)).toEqual(other);
    expect(agreed).toBe(3);
    expect(() => suite.sharedKey(new Uint8Array(32), a.secretKey)).toThrow('low-order points');
  });

  it('remembers the signatures of a whole cohort', () => {
    let verified = 0;
    const suite = threadCrypto({
      ...nodeCrypto,
      verify: (...input) => {
        verified++;
        return nodeCrypto.verify(...input);
      },
    });
    const messages = Array.from({ length: 128 }, (_, i) => Uint8Array.of(i));
    const signed = messages.map((message) => ({
      message,
      signature: nodeCrypto.sign(message, pair.secretKey),
    }));
    for (let neighbour = 0; neighbour < 3; neighbour++)
      for (const { message, signature } of signed)
        expect(suite.verify(message, signature, pair.publicKey)).toBe(true);
    expect(verified).toBe(128);
  });
});
