import type { Brand, SecureRandom } from '@tutti/base';
import type { AddKeystream, AddKeystreams } from './keystream.ts';

/** A public key and its secret key. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** A device, as the coordinator knows it: the first 16 bytes of H("id", identity key), in hexadecimal. */
export type ClientId = Brand<string, 'ClientId'>;
/** D: binds every mask to one round description. */
export type RoundDigest = Brand<Uint8Array, 'RoundDigest'>;
/** C: binds every mask to one cohort. */
export type CohortDigest = Brand<Uint8Array, 'CohortDigest'>;

/** Every primitive that the protocol uses. Two implementations, equal results: portable, and native in Node. */
export interface CryptoSuite {
  readonly name: 'portable' | 'node';
  /** H(label, ...parts): the first 32 bytes of SHA-512("tutti/v1/" ‖ label ‖ 0x00 ‖ u32 length and bytes of each part). */
  digest(label: string, ...parts: readonly Uint8Array[]): Uint8Array;
  signKeyPair(random: SecureRandom): KeyPair;
  /** @param seed 32 bytes. */
  signKeyPairFromSeed(seed: Uint8Array): KeyPair;
  /** An Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
  /** Strict: false for wrong lengths and for S at or above the group order. */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
  boxKeyPair(random: SecureRandom): KeyPair;
  /** The X25519 public key of a secret key. */
  publicKeyOf(secretKey: Uint8Array): Uint8Array;
  /** `nacl.box.before`. @throws {InvalidKeyError} for a low-order public key. */
  sharedKey(publicKey: Uint8Array, secretKey: Uint8Array): Uint8Array;
  /** secretbox: 16 bytes longer than the plaintext. */
  seal(plaintext: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array;
  /** The plaintext, or nothing where the sealed bytes are not authentic. */
  open(sealed: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined;
  /** Adds (or takes away) the ChaCha20 stream of `seed` to `target`, word by word, modulo 2³², in place. */
  readonly addKeystream: AddKeystream;
  /** The same for several seeds at once: faster, equal to one after another. */
  readonly addKeystreams: AddKeystreams;
}
