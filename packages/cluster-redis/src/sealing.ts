import { createCipheriv, createDecipheriv } from 'node:crypto';
import { fromHex, utf8, type Brand } from '@tutti/base';
import type { CryptoSuite } from '@tutti/secure-aggregation';

/** One process of a cluster, for as long as it runs: 16 random bytes in hexadecimal. */
export type NodeId = Brand<string, 'NodeId'>;

/** Bytes that sealing adds. */
const TAG_BYTES = 16;

/**
 * Seals what goes through Redis, so that Redis, whoever reads its memory and whoever writes to it learns nothing and can say nothing.
 * The secret is the cluster's, and stands beside the coordinator's key; each direction of each pair of processes has a key of its own,
 * and the number of the message is the nonce, so that none is used twice.
 */
export interface Sealer {
  seal(to: string, number: number, plain: Uint8Array): Buffer;
  /** The plaintext; undefined where it is not `from`'s message of this number to us. */
  open(from: string, number: number, sealed: Uint8Array): Uint8Array | undefined;
}

/** Keys that are kept at hand. */
const MOST_KEYS = 4_096;

/** @param self who seals, and to whom what is opened was sealed. */
export function openSealer(self: string, secret: Uint8Array, crypto: CryptoSuite): Sealer {
  const keys = new Map<string, Uint8Array>();
  const keyOf = (from: string, to: string): Uint8Array => {
    const name = `${from}>${to}`;
    const known = keys.get(name);
    if (known !== undefined) return known;
    if (keys.size >= MOST_KEYS) keys.clear();
    const key = crypto.digest('cluster-message', secret, utf8(from), utf8(to));
    keys.set(name, key);
    return key;
  };
  return {
    seal(to, number, plain) {
      const cipher = createCipheriv('chacha20-poly1305', keyOf(self, to), nonceOf(number), {
        authTagLength: TAG_BYTES,
      });
      return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(from, number, sealed) {
      if (sealed.length < TAG_BYTES) return undefined;
      const cut = sealed.length - TAG_BYTES;
      const decipher = createDecipheriv('chacha20-poly1305', keyOf(from, self), nonceOf(number), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAuthTag(sealed.subarray(cut));
      try {
        const plain = decipher.update(sealed.subarray(0, cut));
        decipher.final();
        return plain;
      } catch {
        return undefined;
      }
    },
  };
}

function nonceOf(number: number): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, BigInt(number), true);
  return nonce;
}

/** The name under which a cluster's keys stand in Redis: clusters that share one do not meet. */
export const clusterName = (secret: Uint8Array, crypto: CryptoSuite): string =>
  Buffer.from(crypto.digest('cluster-name', secret)).toString('hex').slice(0, 16);

/** @throws {DecodeError} */
export function nodeIdOf(text: string): NodeId {
  fromHex(text, 'node', 16);
  return text as NodeId;
}
