import {
  createCipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hash as nativeHash,
  sign as nativeSign,
  verify as nativeVerify,
  type KeyObject,
} from 'node:crypto';
import { MessageChannel } from 'node:worker_threads';
import { concatBytes, secretCopy, wipe } from '@tutti/base';
import nacl from 'tweetnacl';
import type { CryptoSuite } from './crypto-suite.ts';
import { InvalidKeyError } from './errors.ts';
import { measuredKeystream, portableKeystreams } from './fastest-keystream.ts';
import { eachBlock, keystreamGenerator, openWasmBlock, type KeystreamGenerator } from './keystream.ts';
import { portableParts } from './portable-crypto.ts';
import { digestInput, isCanonicalSignature, secretboxOf, type SecretboxParts } from './portable-parts.ts';

export { openUnmaskPool } from './unmask-pool.ts';
export type { UnmaskPoolOptions } from './unmask-pool.ts';

/** The same primitives through node:crypto where it has them; results are equal to the portable ones, faster. */

const prefix = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
/** What stands before the 32 bytes of a private key in PKCS #8. Not JWK: that would leave the secret in a string, which nobody can wipe. */
const PRIVATE = {
  X25519: prefix('302e020100300506032b656e04220420'),
  Ed25519: prefix('302e020100300506032b657004220420'),
} as const;
type Curve = keyof typeof PRIVATE;

/**
 * Making a private key object costs a scalar multiplication, several times a key agreement; a client uses one key with
 * every neighbour. The object goes when its owner lets go of the raw key. One map a curve: a seed may serve both.
 */
const privateKeys: Readonly<Record<Curve, WeakMap<Uint8Array, KeyObject>>> = {
  X25519: new WeakMap(),
  Ed25519: new WeakMap(),
};

function privateKey(curve: Curve, raw: Uint8Array): KeyObject {
  const known = privateKeys[curve].get(raw);
  if (known !== undefined) return known;
  const der = concatBytes(PRIVATE[curve], raw.subarray(0, 32));
  const key = createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' });
  wipe(der);
  privateKeys[curve].set(raw, key);
  return key;
}

/** As JWK: OpenSSL takes fifteen times as long to read the same key as DER. */
const publicKey = (curve: Curve, raw: Uint8Array): KeyObject =>
  createPublicKey({
    key: { kty: 'OKP', crv: curve, x: Buffer.from(raw).toString('base64url') },
    format: 'jwk',
  });

const rawPublic = (key: KeyObject): Uint8Array =>
  new Uint8Array(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x as string, 'base64url'));

/** Most keystream words made at once: they, their target and the zeros that they are made from fit the second-level cache. */
const CHUNK_WORDS = 12_288;
const ZEROS = new Uint8Array(4 * CHUNK_WORDS);

/** Adds little-endian keystream bytes to as many words: through WebAssembly where there is it, which is three times faster. */
const adder = openWasmBlock();

/** A closed port: what is transferred to it is let go of. */
const nobody = new MessageChannel().port1;
nobody.close();

/**
 * Frees a stream's bytes now, after wiping them. Left to the garbage collector tens of megabytes pile up, and every stream is written
 * to memory that no cache holds: half the speed.
 */
function wipeAndFree(bytes: Buffer<ArrayBuffer>): void {
  bytes.fill(0);
  if (bytes.length === bytes.buffer.byteLength) nobody.postMessage(undefined, [bytes.buffer]);
}

/** The stream of OpenSSL. */
export const nodeKeystream: KeystreamGenerator = keystreamGenerator('node', (target, streams) => {
  const ciphers = streams.map(({ seed, sign }) => ({
    cipher: createCipheriv('chacha20', seed, new Uint8Array(16)),
    sign,
  }));
  eachBlock(target, CHUNK_WORDS, (part) => {
    const zeros = ZEROS.subarray(0, 4 * part.length);
    const addEach = (add: (bytes: Uint8Array, sign: 1 | -1) => void): void => {
      for (const { cipher, sign } of ciphers) {
        const bytes = cipher.update(zeros);
        add(bytes, sign);
        wipeAndFree(bytes);
      }
    };
    if (adder === undefined) addEach((bytes, sign) => addBytes(part, bytes, sign));
    else adder.with(part, () => addEach((bytes, sign) => adder.addBytes(bytes, sign)));
  });
  adder?.wipe();
  // OpenSSL overwrites a cipher's key when the cipher is finished: without this, only once it is collected.
  for (const { cipher } of ciphers) cipher.final();
});

function addBytes(part: Uint32Array, bytes: Uint8Array, sign: 1 | -1): void {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, part.length);
  if (sign === 1) for (let i = 0; i < part.length; i++) part[i] = (part[i] as number) + (words[i] as number);
  else for (let i = 0; i < part.length; i++) part[i] = (part[i] as number) - (words[i] as number);
}

/** The package's own: of many clients in one process, what is faster counts more than what is smaller. */
const { seal, open, keyFromShared } = secretboxOf(
  (nacl as unknown as { readonly lowlevel: SecretboxParts }).lowlevel,
);

/** Bytes from which on they are hashed where they lie. No secret of ours is as large. */
const LARGE_BYTES = 65_536;

/** H(label, part) without a copy of the part: a checkpoint is hashed in every round. */
function digestOfLarge(label: string, part: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(part.length);
  const hash = createHash('sha512').update(digestInput(label, [])).update(length).update(part).digest();
  return secretCopy(hash.subarray(0, 32));
}

/** node:crypto for SHA-512, Ed25519, X25519 and ChaCha20; tweetnacl for secretbox. */
export const nodeCrypto: CryptoSuite = {
  ...portableParts,
  name: 'node',
  seal,
  open,
  digest(label, ...parts) {
    const [only, ...others] = parts;
    if (only !== undefined && others.length === 0 && only.length >= LARGE_BYTES)
      return digestOfLarge(label, only);
    const input = digestInput(label, parts);
    // In one call: an object that hashes keeps the last block and the result until it is collected.
    const hash = nativeHash('sha512', input, 'buffer');
    const digest = secretCopy(hash.subarray(0, 32));
    wipe(input, hash);
    return digest;
  },
  signKeyPairFromSeed(seed) {
    const key = privateKey('Ed25519', seed);
    const publicBytes = rawPublic(key);
    const secretKey = concatBytes(seed, publicBytes);
    privateKeys.Ed25519.set(secretKey, key);
    return { publicKey: publicBytes, secretKey };
  },
  signKeyPair(random) {
    const seed = random.bytes(32);
    const pair = nodeCrypto.signKeyPairFromSeed(seed);
    wipe(seed);
    return pair;
  },
  sign(message, secretKey) {
    return new Uint8Array(nativeSign(null, message, privateKey('Ed25519', secretKey)));
  },
  verify(message, signature, key) {
    if (key.length !== 32 || !isCanonicalSignature(signature)) return false;
    return nativeVerify(null, message, publicKey('Ed25519', key), signature);
  },
  boxKeyPair(random) {
    const secretKey = random.bytes(32);
    return { publicKey: nodeCrypto.publicKeyOf(secretKey), secretKey };
  },
  publicKeyOf: (secretKey) => rawPublic(privateKey('X25519', secretKey)),
  sharedKey(peer, secretKey) {
    if (peer.length !== 32) throw new InvalidKeyError(`a public key has 32 bytes, not ${peer.length}`);
    let raw: Uint8Array;
    try {
      raw = diffieHellman({
        privateKey: privateKey('X25519', secretKey),
        publicKey: publicKey('X25519', peer),
      });
    } catch (cause) {
      throw new InvalidKeyError('the public key is one of the low-order points', { cause });
    }
    const shared = keyFromShared(raw);
    wipe(raw);
    return shared;
  },
  ...measuredKeystream(() => [nodeKeystream, ...portableKeystreams()]),
};
