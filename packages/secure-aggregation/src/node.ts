import {
  createCipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  sign as nativeSign,
  verify as nativeVerify,
  type KeyObject,
} from 'node:crypto';
import { concatBytes, wipe } from '@tutti/base';
import type { CryptoSuite } from './crypto-suite.ts';
import { InvalidKeyError } from './errors.ts';
import { measuredKeystream, portableKeystreams, type KeystreamGenerator } from './keystream.ts';
import { digestInput, isCanonicalSignature, keyFromShared, portableCrypto } from './portable-crypto.ts';

/** The same primitives through node:crypto where it has them; results are equal to the portable ones, faster. */

const prefix = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const X25519_PRIVATE = prefix('302e020100300506032b656e04220420');
const X25519_PUBLIC = prefix('302a300506032b656e032100');
const ED25519_PRIVATE = prefix('302e020100300506032b657004220420');
const ED25519_PUBLIC = prefix('302a300506032b6570032100');

/**
 * Making a private key object costs a scalar multiplication, several times a key agreement; a client uses one key with
 * every neighbour. The object goes when its owner lets go of the raw key. One map a curve: a seed may serve both.
 */
const privateKeys = new Map(
  [X25519_PRIVATE, ED25519_PRIVATE].map((head) => [head, new WeakMap<Uint8Array, KeyObject>()]),
);

function privateKey(head: Uint8Array, raw: Uint8Array): KeyObject {
  const keys = privateKeys.get(head);
  const known = keys?.get(raw);
  if (known !== undefined) return known;
  const der = concatBytes(head, raw.subarray(0, 32));
  const key = createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' });
  wipe(der);
  keys?.set(raw, key);
  return key;
}

const publicKey = (head: Uint8Array, raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.from(concatBytes(head, raw).buffer), format: 'der', type: 'spki' });

const rawPublic = (key: KeyObject): Uint8Array =>
  new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32));

/** Keystream bytes made at once: small enough for the cache, large enough that calls cost nothing. */
const CHUNK_BYTES = 65_536;
const ZEROS = new Uint8Array(CHUNK_BYTES);

/** The stream of OpenSSL. */
export const nodeKeystream: KeystreamGenerator = { name: 'node', add: addNatively };

function addNatively(target: Uint32Array, seed: Uint8Array, sign: 1 | -1): void {
  const cipher = createCipheriv('chacha20', seed, new Uint8Array(16));
  for (let at = 0; at < target.length; at += CHUNK_BYTES / 4) {
    const end = Math.min(target.length, at + CHUNK_BYTES / 4);
    const bytes = cipher.update(ZEROS.subarray(0, 4 * (end - at)));
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    const words = new Uint32Array(aligned.buffer, aligned.byteOffset, end - at);
    const part = target.subarray(at, end);
    if (sign === 1)
      for (let i = 0; i < part.length; i++) part[i] = (part[i] as number) + (words[i] as number);
    else for (let i = 0; i < part.length; i++) part[i] = (part[i] as number) - (words[i] as number);
    bytes.fill(0);
  }
}

/** node:crypto for SHA-512, Ed25519, X25519 and ChaCha20; tweetnacl for secretbox. */
export const nodeCrypto: CryptoSuite = {
  ...portableCrypto,
  name: 'node',
  digest(label, ...parts) {
    const input = digestInput(label, parts);
    const hash = createHash('sha512').update(input).digest();
    const digest = new Uint8Array(hash.subarray(0, 32));
    wipe(input, hash);
    return digest;
  },
  signKeyPairFromSeed(seed) {
    const publicBytes = rawPublic(privateKey(ED25519_PRIVATE, seed));
    return { publicKey: publicBytes, secretKey: concatBytes(seed, publicBytes) };
  },
  signKeyPair(random) {
    const seed = random.bytes(32);
    const pair = nodeCrypto.signKeyPairFromSeed(seed);
    wipe(seed);
    return pair;
  },
  sign(message, secretKey) {
    return new Uint8Array(nativeSign(null, message, privateKey(ED25519_PRIVATE, secretKey)));
  },
  verify(message, signature, key) {
    if (key.length !== 32 || !isCanonicalSignature(signature)) return false;
    return nativeVerify(null, message, publicKey(ED25519_PUBLIC, key), signature);
  },
  boxKeyPair(random) {
    const secretKey = random.bytes(32);
    return { publicKey: nodeCrypto.publicKeyOf(secretKey), secretKey };
  },
  publicKeyOf: (secretKey) => rawPublic(privateKey(X25519_PRIVATE, secretKey)),
  sharedKey(peer, secretKey) {
    if (peer.length !== 32) throw new InvalidKeyError(`a public key has 32 bytes, not ${peer.length}`);
    let raw: Uint8Array;
    try {
      raw = diffieHellman({
        privateKey: privateKey(X25519_PRIVATE, secretKey),
        publicKey: publicKey(X25519_PUBLIC, peer),
      });
    } catch (cause) {
      throw new InvalidKeyError('the public key is one of the low-order points', { cause });
    }
    const shared = keyFromShared(raw);
    wipe(raw);
    return shared;
  },
  addKeystream: measuredKeystream(() => [nodeKeystream, ...portableKeystreams()]),
};
