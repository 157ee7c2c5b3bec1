import { concatBytes, secretBytes, secretCopy, utf8, wipe } from '@tutti/base';
import type { CryptoSuite, KeyPair } from './crypto-suite.ts';
import { InvalidKeyError } from './errors.ts';
import type { lowlevel } from './tweetnacl.gen.ts';

/**
 * The one file that calls tweetnacl: the package's parts that tweetnacl/build.mjs takes of it, or the same compiled to WebAssembly. It closes
 * its two traps: malleable signatures, and low-order points.
 */

/** What devices use of tweetnacl, under its own names. */
export type Nacl = typeof lowlevel;

/** The group order L of Ed25519, little-endian. */
const GROUP_ORDER = Uint8Array.from([
  0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
]);

/** Labels are few, and each is hashed with again and again. */
const prefixes = new Map<string, Uint8Array>();

function prefixOf(label: string): Uint8Array {
  const known = prefixes.get(label) ?? concatBytes(utf8(`tutti/v1/${label}`), Uint8Array.of(0));
  prefixes.set(label, known);
  return known;
}

/** What H hashes: a label, then each part with its length before it. */
export function digestInput(label: string, parts: readonly Uint8Array[]): Uint8Array {
  const prefix = prefixOf(label);
  const input = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, prefix.length));
  input.set(prefix);
  let at = prefix.length;
  for (const part of parts) {
    for (let shift = 0; shift < 32; shift += 8) input[at++] = part.length >>> shift;
    input.set(part, at);
    at += part.length;
  }
  return input;
}

/** Whether S of a signature is below the group order: tweetnacl accepts S + L for the same message. */
export function isCanonicalSignature(signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  for (let i = 31; i >= 0; i--) {
    const s = signature[32 + i] as number;
    const l = GROUP_ORDER[i] as number;
    if (s !== l) return s < l;
  }
  return false;
}

const SIGMA = utf8('expand 32-byte k');

/** Bytes before a plaintext, and before what it is sealed to, that the algorithm works in. */
const ZERO_BYTES = 32;
const BOX_ZERO_BYTES = 16;

/** Parts of tweetnacl: from the whole it gives back what it owns, and leaves copies of what it was given. */
export type SecretboxParts = Pick<
  Nacl,
  'crypto_core_hsalsa20' | 'crypto_secretbox' | 'crypto_secretbox_open'
>;

/** Secretbox, and its keys, of tweetnacl's parts. */
export interface Secretbox extends Pick<CryptoSuite, 'seal' | 'open'> {
  /** HSalsa20 of the raw X25519 secret, as `nacl.box.before`. @throws {InvalidKeyError} when the secret is all zero. */
  keyFromShared(raw: Uint8Array): Uint8Array;
}

/** Secretbox of `parts`. */
export function secretboxOf(parts: SecretboxParts): Secretbox {
  return {
    keyFromShared(raw) {
      let any = 0;
      for (const byte of raw) any |= byte;
      if (any === 0) throw new InvalidKeyError('the public key is one of the low-order points');
      const key = secretBytes(32);
      parts.crypto_core_hsalsa20(key, new Uint8Array(16), raw, SIGMA);
      return key;
    },
    // As `nacl.secretbox`, whose copy of the plaintext nobody wipes.
    seal(plaintext, nonce, key) {
      const padded = secretBytes(ZERO_BYTES + plaintext.length);
      padded.set(plaintext, ZERO_BYTES);
      const sealed = new Uint8Array(padded.length);
      parts.crypto_secretbox(sealed, padded, padded.length, nonce, key);
      wipe(padded);
      return sealed.subarray(BOX_ZERO_BYTES);
    },
    // As `nacl.secretbox.open`; what it gives back can be wiped.
    open(sealed, nonce, key) {
      const padded = new Uint8Array(BOX_ZERO_BYTES + sealed.length);
      padded.set(sealed, BOX_ZERO_BYTES);
      if (padded.length < ZERO_BYTES) return undefined;
      const plaintext = secretBytes(padded.length);
      const failed = parts.crypto_secretbox_open(plaintext, padded, padded.length, nonce, key) !== 0;
      return failed ? undefined : plaintext.subarray(ZERO_BYTES);
    },
  };
}

/** @throws {InvalidKeyError} where a key has another length: tweetnacl's parts read on behind its end. */
function checkKey(key: Uint8Array, bytes: number, what: string): void {
  if (key.length !== bytes) throw new InvalidKeyError(`a ${what} has ${bytes} bytes, not ${key.length}`);
}

/** All of a suite but the mask stream, of tweetnacl's parts. */
export function partsOf(nacl: Nacl): Omit<CryptoSuite, 'addKeystream' | 'addKeystreams'> {
  const { keyFromShared, seal, open } = secretboxOf(nacl);
  const publicKeyOf = (secretKey: Uint8Array): Uint8Array => {
    checkKey(secretKey, 32, 'secret key');
    const publicKey = new Uint8Array(32);
    nacl.crypto_scalarmult_base(publicKey, secretKey);
    return publicKey;
  };
  const signKeyPairFromSeed = (seed: Uint8Array): KeyPair => {
    checkKey(seed, 32, 'seed');
    const [publicKey, secretKey] = [new Uint8Array(32), new Uint8Array(64)];
    secretKey.set(seed);
    nacl.crypto_sign_keypair(publicKey, secretKey, true);
    return { publicKey, secretKey };
  };
  return {
    name: 'portable',
    digest(label, ...parts) {
      const input = digestInput(label, parts);
      const hash = secretBytes(64);
      nacl.crypto_hash(hash, input, input.length);
      const digest = secretCopy(hash.subarray(0, 32));
      wipe(input, hash);
      return digest;
    },
    signKeyPair(random) {
      const seed = random.bytes(32);
      const pair = signKeyPairFromSeed(seed);
      wipe(seed);
      return pair;
    },
    signKeyPairFromSeed,
    sign(message, secretKey) {
      checkKey(secretKey, 64, 'secret key');
      const signed = new Uint8Array(64 + message.length);
      nacl.crypto_sign(signed, message, message.length, secretKey);
      return signed.slice(0, 64);
    },
    verify(message, signature, publicKey) {
      if (publicKey.length !== 32 || !isCanonicalSignature(signature)) return false;
      const signed = concatBytes(signature, message);
      return nacl.crypto_sign_open(new Uint8Array(signed.length), signed, signed.length, publicKey) >= 0;
    },
    boxKeyPair(random) {
      const secretKey = random.bytes(32);
      return { publicKey: publicKeyOf(secretKey), secretKey };
    },
    publicKeyOf,
    sharedKey(publicKey, secretKey) {
      checkKey(publicKey, 32, 'public key');
      checkKey(secretKey, 32, 'secret key');
      const raw = secretBytes(32);
      nacl.crypto_scalarmult(raw, secretKey, publicKey);
      const key = keyFromShared(raw);
      wipe(raw);
      return key;
    },
    seal,
    open,
  };
}
