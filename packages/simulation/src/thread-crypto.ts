import { equalBytes, toHex, wipe } from '@tutti/base';
import type { CryptoSuite } from '@tutti/secure-aggregation';

/** Verifications remembered: a cohort's bundles, which each neighbour checks, and the coordinator's messages. */
const REMEMBERED_SIGNATURES = 4_096;

/** Agreed keys remembered until the other side asks: those of several groups of 128. */
const REMEMBERED_KEYS = 32_768;

/**
 * The suite of all devices of a thread, who do some things over and over again that give the same every time. Their results are the
 * suite's own:
 *
 * - A message of the coordinator goes to many, one after another: the digest that it was hashed to last is remembered, part by part.
 * - A signature on the same bytes is checked by every neighbour of who made it: what was found valid is remembered, byte by byte.
 * - Two devices of this thread agree on one key, each from its own secret: the second is given what the first computed.
 */
export function threadCrypto(suite: CryptoSuite): CryptoSuite {
  return {
    ...suite,
    ...rememberedDigest(suite),
    ...rememberedVerification(suite),
    ...rememberedAgreement(suite),
  };
}

/** The label that phase messages are hashed under: nothing of them is secret. */
const PUBLIC = 'phase';

function rememberedDigest({ digest }: CryptoSuite): Pick<CryptoSuite, 'digest'> {
  let last: { parts: readonly Uint8Array[]; digest: Uint8Array } | undefined;
  return {
    digest(label, ...parts) {
      if (label !== PUBLIC) return digest(label, ...parts);
      if (last === undefined || !equalParts(last.parts, parts))
        last = { parts: parts.map((part) => part.slice()), digest: digest(label, ...parts) };
      return last.digest.slice();
    },
  };
}

const equalParts = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((part, i) => equalBytes(part, b[i] as Uint8Array));

function rememberedVerification({ verify }: CryptoSuite): Pick<CryptoSuite, 'verify'> {
  const valid = new Map<string, readonly [message: Uint8Array, publicKey: Uint8Array]>();
  /** What was asked last, where it was valid: often it is asked again at once. */
  let last: readonly Uint8Array[] = [];
  return {
    verify(message, signature, publicKey) {
      if (equalParts(last, [message, signature, publicKey])) return true;
      const name = toHex(signature);
      let known = valid.get(name);
      if (known === undefined || !equalParts(known, [message, publicKey])) {
        if (!verify(message, signature, publicKey)) return false;
        known = [message.slice(), publicKey.slice()];
        valid.set(name, known);
        forgetOldest(valid, REMEMBERED_SIGNATURES);
      }
      last = [known[0], signature.slice(), known[1]];
      return true;
    },
  };
}

function rememberedAgreement(suite: CryptoSuite): Pick<CryptoSuite, 'boxKeyPair' | 'sharedKey'> {
  /** The public keys, as text, of the secret keys that were made in this thread. */
  const own = new WeakMap<Uint8Array, string>();
  const agreed = new Map<string, Uint8Array>();
  return {
    boxKeyPair(random) {
      const pair = suite.boxKeyPair(random);
      own.set(pair.secretKey, toHex(pair.publicKey));
      return pair;
    },
    sharedKey(publicKey, secretKey) {
      const mine = own.get(secretKey);
      if (mine === undefined) return suite.sharedKey(publicKey, secretKey);
      const theirs = toHex(publicKey);
      const asked = agreed.get(theirs + mine);
      if (asked !== undefined) {
        agreed.delete(theirs + mine);
        return asked;
      }
      const key = suite.sharedKey(publicKey, secretKey);
      agreed.set(mine + theirs, key.slice());
      const forgotten = forgetOldest(agreed, REMEMBERED_KEYS);
      if (forgotten !== undefined) wipe(forgotten);
      return key;
    },
  };
}

/** Takes the oldest entry out of a map that is larger than it may be. */
function forgetOldest<V>(map: Map<string, V>, most: number): V | undefined {
  if (map.size <= most) return undefined;
  const [[name, value]] = map as unknown as [[string, V]];
  map.delete(name);
  return value;
}
