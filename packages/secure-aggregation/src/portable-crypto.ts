import { concatBytes, secretBytes, secretCopy, utf8, wipe } from '@tutti/base';
import nacl from 'tweetnacl';
import type { CryptoSuite, KeyPair } from './crypto-suite.ts';
import { InvalidKeyError } from './errors.ts';
import { measuredKeystream, portableKeystreams } from './keystream.ts';

/** The one file that touches tweetnacl. It closes its two traps: malleable signatures, and low-order points. */

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

/** HSalsa20 of the raw X25519 secret, as `nacl.box.before`. @throws {InvalidKeyError} when the secret is all zero. */
export function keyFromShared(raw: Uint8Array): Uint8Array {
  let any = 0;
  for (const byte of raw) any |= byte;
  if (any === 0) throw new InvalidKeyError('the public key is one of the low-order points');
  const key = secretBytes(32);
  lowlevel.crypto_core_hsalsa20(key, new Uint8Array(16), raw, SIGMA);
  return key;
}

/** What tweetnacl is made of: from the whole it gives back what it owns, and leaves copies of what it was given. */
const { lowlevel } = nacl as unknown as {
  lowlevel: {
    crypto_core_hsalsa20(out: Uint8Array, inp: Uint8Array, k: Uint8Array, c: Uint8Array): void;
    crypto_secretbox(out: Uint8Array, m: Uint8Array, length: number, n: Uint8Array, k: Uint8Array): number;
    crypto_secretbox_open(m: Uint8Array, c: Uint8Array, length: number, n: Uint8Array, k: Uint8Array): number;
  };
};
const SIGMA = utf8('expand 32-byte k');

/** Bytes before a plaintext, and before what it is sealed to, that the algorithm works in. */
const ZERO_BYTES = 32;
const BOX_ZERO_BYTES = 16;

/** As `nacl.secretbox`, whose copy of the plaintext nobody wipes. */
function seal(plaintext: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array {
  const padded = secretBytes(ZERO_BYTES + plaintext.length);
  padded.set(plaintext, ZERO_BYTES);
  const sealed = new Uint8Array(padded.length);
  lowlevel.crypto_secretbox(sealed, padded, padded.length, nonce, key);
  wipe(padded);
  return sealed.subarray(BOX_ZERO_BYTES);
}

/** As `nacl.secretbox.open`; what it gives back can be wiped. */
function open(sealed: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  const padded = new Uint8Array(BOX_ZERO_BYTES + sealed.length);
  padded.set(sealed, BOX_ZERO_BYTES);
  if (padded.length < ZERO_BYTES) return undefined;
  const plaintext = secretBytes(padded.length);
  const failed = lowlevel.crypto_secretbox_open(plaintext, padded, padded.length, nonce, key) !== 0;
  return failed ? undefined : plaintext.subarray(ZERO_BYTES);
}

/** Everything in TypeScript and tweetnacl: runs wherever JavaScript runs. */
export const portableCrypto: CryptoSuite = {
  name: 'portable',
  digest(label, ...parts) {
    const input = digestInput(label, parts);
    const hash = nacl.hash(input);
    const digest = secretCopy(hash.subarray(0, 32));
    wipe(input, hash);
    return digest;
  },
  signKeyPair(random) {
    const seed = random.bytes(32);
    const pair = nacl.sign.keyPair.fromSeed(seed);
    wipe(seed);
    return pair;
  },
  signKeyPairFromSeed: (seed): KeyPair => nacl.sign.keyPair.fromSeed(seed),
  sign: (message, secretKey) => nacl.sign.detached(message, secretKey),
  verify(message, signature, publicKey) {
    if (publicKey.length !== 32 || !isCanonicalSignature(signature)) return false;
    return nacl.sign.detached.verify(message, signature, publicKey);
  },
  boxKeyPair(random) {
    const secretKey = random.bytes(32);
    return { publicKey: nacl.scalarMult.base(secretKey), secretKey };
  },
  publicKeyOf: (secretKey) => nacl.scalarMult.base(secretKey),
  sharedKey(publicKey, secretKey) {
    if (publicKey.length !== 32)
      throw new InvalidKeyError(`a public key has 32 bytes, not ${publicKey.length}`);
    const raw = nacl.scalarMult(secretKey, publicKey);
    const key = keyFromShared(raw);
    wipe(raw);
    return key;
  },
  seal,
  open,
  ...measuredKeystream(portableKeystreams),
};
