import { createHash, randomBytes } from 'node:crypto';
import { toHex } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { lowlevel } from './tweetnacl.gen.ts';
import { wasmNacl } from './wasm-nacl.ts';

describe.each([
  ['TypeScript', lowlevel],
  ['WebAssembly', wasmNacl],
])('SHA-512 in %s', (_, nacl) => {
  it("gives node:crypto's digest for every length up to three blocks, wherever the message begins", () => {
    for (let length = 0; length <= 3 * 128; length++) expectNative(length);
  });

  it('gives it for messages that are taken by parts, whole and not', () => {
    for (const length of [32_767, 32_768, 32_769, 65_536, 65_665, 200_000]) expectNative(length);
  });

  function expectNative(length: number): void {
    const message = new Uint8Array(randomBytes(length + 5)).subarray(5);
    const digest = new Uint8Array(64);
    nacl.crypto_hash(digest, message, length);
    expect(toHex(digest), `${length} bytes: ${toHex(message.subarray(0, 400))}`).toBe(
      createHash('sha512').update(message).digest('hex'),
    );
  }
});
