import { concatBytes, fromHex, seededRandom, toHex } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { lowlevel } from './tweetnacl.gen.ts';
import { wasmNacl } from './wasm-nacl.ts';

/** Two results of one call; they must be one. */
function both(call: (nacl: typeof lowlevel) => Uint8Array): string {
  const [javascript, wasm] = [lowlevel, wasmNacl].map((nacl) => toHex(call(nacl)));
  expect(wasm).toBe(javascript);
  return wasm as string;
}

const random = seededRandom('tweetnacl in WebAssembly');
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.int(256));

const scalarMult = (scalar: Uint8Array, point: Uint8Array): string =>
  both((nacl) => {
    const out = new Uint8Array(32);
    nacl.crypto_scalarmult(out, scalar, point);
    return out;
  });

describe('tweetnacl in WebAssembly', () => {
  it('agrees on the points whose limbs are at their ends: around zero, the prime and 2^255', () => {
    const scalar = bytes(32);
    for (const [first, rest] of [
      [0, 0],
      [0xec, 0xff],
      [0xed, 0xff],
      [0xff, 0xff],
    ] as const)
      // prettier-ignore
      for (let more = 0; more < 4; more++)
        for (const last of [0x7f, 0xff, 0])
          scalarMult(scalar, Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? first + more : i === 31 ? last : rest)));
    expect(scalarMult(scalar, new Uint8Array(32))).toBe('00'.repeat(32));
  });

  it('gives the vectors of RFC 7748, 5.2', () => {
    const scalar = fromHex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const point = fromHex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    expect(scalarMult(scalar, point)).toBe(
      'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    );
    let [k, u] = [new Uint8Array(32).fill(9, 0, 1), new Uint8Array(32).fill(9, 0, 1)];
    for (let i = 0; i < 1_000; i++) {
      const out = new Uint8Array(32);
      wasmNacl.crypto_scalarmult(out, k, u);
      [k, u] = [out, k];
    }
    expect(toHex(k)).toBe('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51');
  });

  it('seals, opens, signs and verifies what is longer than its memory', () => {
    const [key, nonce, seed] = [bytes(32), bytes(24), bytes(32)];
    const padded = concatBytes(new Uint8Array(32), bytes(150_000));
    const sealed = new Uint8Array(padded.length);
    both((nacl) => (nacl.crypto_secretbox(sealed, padded, padded.length, nonce, key), sealed));
    both((nacl) => {
      const opened = new Uint8Array(padded.length);
      expect(nacl.crypto_secretbox_open(opened, sealed, sealed.length, nonce, key)).toBe(0);
      return opened;
    });
    const [publicKey, secretKey] = [new Uint8Array(32), concatBytes(seed, new Uint8Array(32))];
    both((nacl) => (nacl.crypto_sign_keypair(publicKey, secretKey, true), secretKey));
    const signed = new Uint8Array(64 + padded.length);
    both((nacl) => (nacl.crypto_sign(signed, padded, padded.length, secretKey), signed));
    const opened = new Uint8Array(signed.length);
    expect(wasmNacl.crypto_sign_open(opened, signed, signed.length, publicKey)).toBe(0);
  });

  it.each(['signature', 'message', 'key'])('refuses a changed %s', (what) => {
    const [publicKey, secretKey, message] = [
      new Uint8Array(32),
      concatBytes(bytes(32), new Uint8Array(32)),
      bytes(50),
    ];
    wasmNacl.crypto_sign_keypair(publicKey, secretKey, true);
    const signed = new Uint8Array(64 + message.length);
    wasmNacl.crypto_sign(signed, message, message.length, secretKey);
    for (let i = 0; i < 32; i++) {
      const changed = {
        signature: signed.subarray(i),
        message: signed.subarray(64 + i),
        key: publicKey.subarray(i),
      }[what];
      if (changed === undefined) throw new Error(what);
      changed[0] = (changed[0] as number) ^ (1 << (i & 7));
      for (const nacl of [lowlevel, wasmNacl])
        expect(nacl.crypto_sign_open(new Uint8Array(signed.length), signed, signed.length, publicKey)).toBe(
          -1,
        );
      changed[0] = changed[0] ^ (1 << (i & 7));
    }
  });
});
