import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { concatBytes, utf8 } from '@tutti/base';
import type { AuthorityKey, IdentityCrypto } from '../src/crypto.ts';

/** The primitives straight from node:crypto: this floor does not know the suites of secure aggregation. */

const PRIVATE = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC = Buffer.from('302a300506032b6570032100', 'hex');

export const suite: IdentityCrypto = {
  digest(label, ...parts) {
    const framed = parts.flatMap((part) => {
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, part.length, true);
      return [length, part];
    });
    const input = concatBytes(utf8(`tutti/v1/${label}`), Uint8Array.of(0), ...framed);
    return new Uint8Array(createHash('sha512').update(input).digest().subarray(0, 32));
  },
  sign: (message, secretKey) => {
    const der = Buffer.concat([PRIVATE, secretKey.subarray(0, 32)]);
    return new Uint8Array(sign(null, message, createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })));
  },
  verify: (message, signature, publicKey) =>
    verify(
      null,
      message,
      createPublicKey({ key: Buffer.concat([PUBLIC, publicKey]), format: 'der', type: 'spki' }),
      signature,
    ),
};

/** An authority's key from one byte. */
export function keyOf(byte: number): AuthorityKey {
  const seed = new Uint8Array(32).fill(byte);
  const key = createPrivateKey({ key: Buffer.concat([PRIVATE, seed]), format: 'der', type: 'pkcs8' });
  const publicKey = new Uint8Array(
    createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32),
  );
  return { publicKey, secretKey: concatBytes(seed, publicKey) };
}

/** The client id that ends in `number`. */
export const idOf = (number: number): string => number.toString(16).padStart(32, '0');

/** The reason of what `work` throws. */
export function reasonOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as { reason?: string }).reason ?? String(error);
  }
  return 'accepted';
}
