import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fromHex, systemRandom, toHex, utf8 } from '@tutti/base';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import { describe, expect, it } from 'vitest';
import { clientIdOf, InvalidKeyError, parseClientId } from './index.ts';
import { wasmCrypto } from './wasm-crypto.ts';
import { nodeCrypto } from './node.ts';
import { portableCrypto } from './portable-crypto.ts';

const suites = [portableCrypto, wasmCrypto, nodeCrypto];
const random = systemRandom();

/** The keystream of a key as bytes. */
function keystream(crypto: typeof portableCrypto, key: Uint8Array, words: number): Uint8Array {
  const target = new Uint32Array(words);
  crypto.addKeystream(target, key, 1);
  const bytes = new Uint8Array(4 * words);
  const view = new DataView(bytes.buffer);
  target.forEach((word, i) => view.setUint32(4 * i, word, true));
  return bytes;
}

/** The seven points whose shared secret is zero whatever the other key (RFC 7748, libsodium's list). */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

describe.each(suites)('$name crypto', (crypto) => {
  it('expands ChaCha20: key 00..1f, counter 0 (secure-aggregation.md), and the zero key (RFC 8439, A.1 #1)', () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => i);
    expect(toHex(keystream(crypto, key, 4))).toBe('39fd2b7dd9c5196a8dbd0377b8dc4a49');
    expect(toHex(keystream(crypto, new Uint8Array(32), 16))).toBe(
      '76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586',
    );
  });

  it('takes away what it added', () => {
    const target = Uint32Array.from({ length: 100_003 }, (_, i) => i * 7);
    const before = Uint32Array.from(target);
    crypto.addKeystream(target, random.bytes(32).fill(7), 1);
    expect(target).not.toEqual(before);
    crypto.addKeystream(target, new Uint8Array(32).fill(7), -1);
    expect(target).toEqual(before);
  });

  it('signs and verifies (RFC 8032, test 1), and refuses S + L and wrong lengths', () => {
    const pair = crypto.signKeyPairFromSeed(
      fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'),
    );
    expect(toHex(pair.publicKey)).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
    const message = new Uint8Array(0);
    const signature = crypto.sign(message, pair.secretKey);
    expect(toHex(signature)).toBe(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    );
    expect(crypto.verify(message, signature, pair.publicKey)).toBe(true);
    expect(crypto.verify(message, plusOrder(signature), pair.publicKey)).toBe(false);
    expect(crypto.verify(message, signature.slice(1), pair.publicKey)).toBe(false);
    expect(crypto.verify(message, signature, pair.publicKey.slice(1))).toBe(false);
    expect(crypto.verify(utf8('other'), signature, pair.publicKey)).toBe(false);
  });

  it.each(LOW_ORDER)('refuses the low-order point %s', (point) => {
    expect(() => crypto.sharedKey(fromHex(point), random.bytes(32))).toThrow(InvalidKeyError);
  });

  it('seals what only the key opens', () => {
    const [key, nonce] = [random.bytes(32), random.bytes(24)];
    const sealed = crypto.seal(utf8('share'), nonce, key);
    expect(crypto.open(sealed, nonce, key)).toEqual(utf8('share'));
    for (let at = 0; at < sealed.length; at++)
      expect(
        crypto.open(
          sealed.map((byte, i) => (i === at ? byte ^ 1 : byte)),
          nonce,
          key,
        ),
      ).toBeUndefined();
  });
});

/** S + L: the same signature to a verifier that does not check S. */
function plusOrder(signature: Uint8Array): Uint8Array {
  const order = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
  const out = signature.slice();
  let carry = 0;
  for (let i = 0; i < 32; i++) {
    const sum = (out[32 + i] as number) + (order[i] as number) + carry;
    out[32 + i] = sum & 255;
    carry = sum >> 8;
  }
  return out;
}

describe('what is taken of tweetnacl', () => {
  it('is word for word what the package has', () => {
    const script = fileURLToPath(new URL('../tweetnacl/build.mjs', import.meta.url));
    expect(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' })).not.toThrow();
  });

  it('gives what the package gives', () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(bytes(32), bytes(24), fc.uint8Array({ maxLength: 300 }), (key, nonce, message) => {
        const pair = nacl.sign.keyPair.fromSeed(key);
        expect(portableCrypto.signKeyPairFromSeed(key)).toEqual(pair);
        const signature = nacl.sign.detached(message, pair.secretKey);
        expect(portableCrypto.sign(message, pair.secretKey)).toEqual(signature);
        expect(portableCrypto.verify(message, signature, pair.publicKey)).toBe(true);
        const other = nacl.box.keyPair();
        expect(portableCrypto.sharedKey(other.publicKey, key)).toEqual(nacl.box.before(other.publicKey, key));
        const sealed = nacl.secretbox(message, nonce, key);
        expect(portableCrypto.seal(message, nonce, key)).toEqual(sealed);
        expect(portableCrypto.open(sealed, nonce, key)).toEqual(message);
      }),
      { numRuns: 25, seed: 5 },
    );
  });

  it('refuses keys of other lengths, which it would read on behind', () => {
    const [short, key] = [new Uint8Array(31), random.bytes(32)];
    expect(() => portableCrypto.signKeyPairFromSeed(short)).toThrow('32 bytes, not 31');
    expect(() => portableCrypto.sign(utf8('x'), short)).toThrow('64 bytes, not 31');
    expect(() => portableCrypto.publicKeyOf(short)).toThrow('32 bytes, not 31');
    expect(() => portableCrypto.sharedKey(portableCrypto.publicKeyOf(key), short)).toThrow('not 31');
  });
});

describe('the two implementations', () => {
  it('agree on everything (differential)', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 0, max: 20_000 }),
        (a, b, message, words) => {
          expect(nodeCrypto.digest('x', a, message)).toEqual(portableCrypto.digest('x', a, message));
          expect(nodeCrypto.signKeyPairFromSeed(a)).toEqual(portableCrypto.signKeyPairFromSeed(a));
          const { secretKey, publicKey } = portableCrypto.signKeyPairFromSeed(a);
          expect(nodeCrypto.sign(message, secretKey)).toEqual(portableCrypto.sign(message, secretKey));
          expect(nodeCrypto.verify(message, portableCrypto.sign(message, secretKey), publicKey)).toBe(true);
          expect(nodeCrypto.publicKeyOf(b)).toEqual(portableCrypto.publicKeyOf(b));
          expect(nodeCrypto.sharedKey(portableCrypto.publicKeyOf(b), a)).toEqual(
            portableCrypto.sharedKey(portableCrypto.publicKeyOf(b), a),
          );
          expect(keystream(nodeCrypto, a, words)).toEqual(keystream(portableCrypto, a, words));
        },
      ),
      { numRuns: 25, seed: 4 },
    );
  });

  it('agree on the digest of what is large, which Node hashes where it lies', () => {
    for (const length of [65_535, 65_536, 100_001]) {
      const large = Uint8Array.from({ length }, (_, i) => i * 7);
      expect(nodeCrypto.digest('x', large)).toEqual(portableCrypto.digest('x', large));
      expect(nodeCrypto.digest('x', large, large)).toEqual(portableCrypto.digest('x', large, large));
    }
  });
});

describe('client ids', () => {
  it('are the first 16 bytes of H("id", key), and are checked when they come from outside', () => {
    const key = new Uint8Array(32).fill(1);
    const id = clientIdOf(key, portableCrypto);
    expect(id).toBe(toHex(portableCrypto.digest('id', key).subarray(0, 16)));
    expect(parseClientId(id)).toBe(id);
    for (const wrong of [5, '', id.toUpperCase(), `${id}00`, id.slice(1)])
      expect(() => parseClientId(wrong)).toThrow('client');
  });
});
