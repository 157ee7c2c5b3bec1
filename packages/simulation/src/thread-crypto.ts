import { equalBytes } from '@tutti/base';
import type { CryptoSuite } from '@tutti/secure-aggregation';

/** Verifications remembered: a plain cohort hears one description, and one message a group. */
const REMEMBERED = 64;

/**
 * The suite of all devices of a thread. They check the same signature of the coordinator on the same bytes again and again:
 * what was found valid is remembered, byte by byte. Whatever is not remembered is verified.
 */
export function threadCrypto(suite: CryptoSuite): CryptoSuite {
  const valid: (readonly [Uint8Array, Uint8Array, Uint8Array])[] = [];
  return {
    ...suite,
    verify(message, signature, publicKey) {
      const known = valid.some(
        ([m, s, k]) => equalBytes(s, signature) && equalBytes(m, message) && equalBytes(k, publicKey),
      );
      if (known) return true;
      if (!suite.verify(message, signature, publicKey)) return false;
      valid.unshift([message.slice(), signature.slice(), publicKey.slice()]);
      valid.length = Math.min(valid.length, REMEMBERED);
      return true;
    },
  };
}
