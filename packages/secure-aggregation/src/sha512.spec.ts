import { createHash, randomBytes } from 'node:crypto';
import { toHex } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { lowlevel } from './tweetnacl.gen.ts';

describe('SHA-512', () => {
  it("gives node:crypto's digest for every length up to three blocks, wherever the message begins", () => {
    for (let length = 0; length <= 3 * 128; length++) {
      const message = new Uint8Array(randomBytes(length + 5)).subarray(5);
      const digest = new Uint8Array(64);
      lowlevel.crypto_hash(digest, message, length);
      expect(toHex(digest), `${length} bytes: ${toHex(message)}`).toBe(
        createHash('sha512').update(message).digest('hex'),
      );
    }
  });
});
