import { fromHex, toHex, utf8, type SecureRandom } from '@tutti/base';
import {
  addBundle,
  addInto,
  addShares,
  addSignature,
  addUnmaskReply,
  advertiseKeys,
  answerSigned,
  answerUnmask,
  clientIdOf,
  closeInputs,
  closeKeys,
  closeShares,
  closeSignatures,
  collectKeys,
  countInput,
  enterCohort,
  groupShape,
  maskInput,
  recoverMasks,
  removeMasks,
  shareKeys,
  signSurvivors,
  type ClientId,
  type CohortDigest,
  type CryptoSuite,
  type GraphRules,
  type QuantizedInput,
  type RoundDigest,
} from '../src/index.ts';
import { streamsOf } from '../src/unmask.ts';
import { graphSeed, sparseGraph } from '../src/graph.ts';
import { splitSecret } from '../src/shamir.ts';
import { accepted, ACTIVE, SEMI_HONEST } from './exchange.ts';
import { pairSeed, pairSign, selfSeed, shareNonce, survivorDigest } from '../src/share-records.ts';

/** Everything a second implementation needs to check itself, from the hash to a whole exchange with a dropout. */
export function buildVectors(crypto: CryptoSuite): unknown {
  return {
    about:
      'Test vectors of Tutti’s secure aggregation, protocol 2. All bytes are hexadecimal; words are unsigned 32-bit.',
    hash: hashVectors(crypto),
    clientId: identityVectors(crypto),
    keystream: keystreamVectors(crypto),
    keyAgreement: agreementVectors(crypto),
    sharing: sharingVectors(),
    graph: graphVectors(crypto),
    exchange: exchangeVectors(crypto, SEMI_HONEST),
    activeExchange: exchangeVectors(crypto, ACTIVE),
  };
}

/** The fixed "randomness" of the vectors: H("vector", purpose, counter), block after block. Never a source of real keys. */
export function vectorRandom(purpose: string, crypto: CryptoSuite): SecureRandom {
  let counter = 0;
  const bytes = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at += 32) {
      const block = crypto.digest('vector', utf8(purpose), utf8(String(counter++)));
      out.set(block.subarray(0, Math.min(32, length - at)), at);
    }
    return out;
  };
  return { bytes } as SecureRandom;
}

function hashVectors(crypto: CryptoSuite): unknown {
  const cases: [string, string[]][] = [
    ['id', ['00'.repeat(32)]],
    ['round', []],
    ['pair', ['', '01', '0203']],
  ];
  return cases.map(([label, parts]) => ({
    label,
    parts,
    digest: toHex(crypto.digest(label, ...parts.map((part) => fromHex(part)))),
  }));
}

function identityVectors(crypto: CryptoSuite): unknown {
  return ['00'.repeat(32), '0f'.repeat(32)].map((seed) => {
    const { publicKey, secretKey } = crypto.signKeyPairFromSeed(fromHex(seed));
    return {
      seed,
      identityKey: toHex(publicKey),
      id: clientIdOf(publicKey, crypto),
      signatureOfTutti: toHex(crypto.sign(utf8('tutti'), secretKey)),
    };
  });
}

function keystreamVectors(crypto: CryptoSuite): unknown {
  return ['000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'ff'.repeat(32)].map((seed) => {
    const words = new Uint32Array(1_001);
    crypto.addKeystream(words, fromHex(seed), 1);
    return { seed, firstWords: [...words.subarray(0, 8)], word1000: words[1_000] };
  });
}

function agreementVectors(crypto: CryptoSuite): unknown {
  const random = vectorRandom('agreement', crypto);
  const [a, b] = [crypto.boxKeyPair(random), crypto.boxKeyPair(random)];
  return {
    secretA: toHex(a.secretKey),
    publicA: toHex(a.publicKey),
    secretB: toHex(b.secretKey),
    publicB: toHex(b.publicKey),
    shared: toHex(crypto.sharedKey(a.publicKey, b.secretKey)),
  };
}

function sharingVectors(): unknown {
  const secret = Uint8Array.from({ length: 8 }, (_, i) => 17 * i + 3);
  const coefficients = Uint8Array.from({ length: 16 }, (_, i) => 29 * i + 1);
  const points = [1, 2, 5, 9];
  const shares = splitSecret(secret, 3, points, () => coefficients.slice());
  return {
    secret: toHex(secret),
    threshold: 3,
    coefficients: toHex(coefficients),
    shares: points.map((x, i) => ({ x, share: toHex(shares[i] as Uint8Array) })),
  };
}

/** Shapes of groups, and the neighbours that a seed gives: the order of the ring is a shuffle of the seed's stream. */
function graphVectors(crypto: CryptoSuite): unknown {
  const cohort = crypto.digest('cohort', utf8('graph vector')) as CohortDigest;
  const nonces = Uint8Array.from({ length: 32 * 150 }, (_, i) => (7 * i + 3) & 0xff);
  const seed = graphSeed(cohort, nonces, crypto);
  const shape = groupShape(150, SEMI_HONEST);
  const graph = sparseGraph(shape, seed, crypto);
  return {
    shapes: [16, 100, 128, 129, 300, 1_000].flatMap((members) =>
      [SEMI_HONEST, ACTIVE].map((rules) => ({ rules, ...groupShape(members, rules) })),
    ),
    cohortDigest: toHex(cohort),
    noncesAre: '32 · 150 bytes, byte i is (7·i + 3) mod 256',
    seed: toHex(seed),
    shape,
    neighboursOf: Object.fromEntries([0, 1, 149].map((index) => [index, graph.neighbours(index)])),
  };
}

/** Five clients, the fourth of which drops out after it shared keys. */
function exchangeVectors(crypto: CryptoSuite, rules: GraphRules): unknown {
  const roundDigest = crypto.digest('round', utf8('{"vector":1}')) as RoundDigest;
  let advertising = collectKeys({ crypto, roundDigest, rules, largest: 5, smallest: 2 });
  const entered = Array.from({ length: 5 }, (_, i) => {
    const random = vectorRandom(`client ${i}`, crypto);
    const identity = crypto.signKeyPair(random);
    const { state, bundle } = advertiseKeys({ roundDigest, identity, random, crypto });
    advertising = accepted(addBundle(advertising, bundle));
    const secrets = {
      identitySeed: toHex(identity.secretKey.subarray(0, 32)),
      encryptionSecret: toHex(state.encryption.secretKey),
      maskSecret: toHex(state.mask.secretKey),
      selfSeed: toHex(state.seed),
      graphNonce: toHex(state.nonce),
    };
    const input = Uint32Array.of(i, 1_000 * i, 0xffff_ffff - i, 7) as QuantizedInput;
    return { state, identity, bundle, secrets, input };
  });
  let sharing = going(closeKeys(advertising), 'share-keys');
  const shared = entered.map(({ state }) => {
    const result = shareKeys(enterCohort(state, sharing.roster, { ...rules, smallestCohort: 2 }).state);
    sharing = accepted(addShares(sharing, state.id, result.shares));
    return result;
  });
  let collecting = going(closeShares(sharing), 'masked-input');
  const cohort = collecting.cohortDigest;
  const sum = new Uint32Array(4);
  const dropped = entered[3]?.state.id as ClientId;
  const masked = entered.map(({ state, input }, i) => {
    if (state.id === dropped) return undefined;
    const result = maskInput((shared[i] as (typeof shared)[number]).state, collecting.relay(state.id), input);
    collecting = accepted(countInput(collecting, state.id));
    addInto(sum, result.masked);
    return result;
  });
  const closed = closeInputs(collecting);
  if (closed.phase === 'aborted') throw new Error('the exchange ended');
  const { survivors } = closed;
  let signing = closed;
  const signed = masked.map((one, i) => {
    if (one === undefined || signing.phase !== 'survivors') return undefined;
    const { state, identity } = entered[i] as (typeof entered)[number];
    const result = signSurvivors(one.state, survivors, identity.secretKey);
    signing = accepted(addSignature(signing, state.id, result.signature));
    return result;
  });
  let unmasking = going(signing.phase === 'survivors' ? closeSignatures(signing) : signing, 'unmask');
  const shown = entered.map(({ state }) => unmasking.signatures?.(state.id));
  const replies = masked.map((one, i) => {
    if (one === undefined) return undefined;
    const own = signed[i];
    const { reply } =
      own === undefined
        ? answerUnmask(one.state, survivors)
        : answerSigned(own.state, shown[i] as Uint8Array);
    unmasking = accepted(addUnmaskReply(unmasking, (entered[i] as (typeof entered)[number]).state.id, reply));
    return reply;
  });
  const recovered = going(recoverMasks(unmasking), 'recovered');
  const maskedSum = [...sum];
  const corrections = recovered.secrets
    .flatMap((secret) => streamsOf(secret, cohort, crypto))
    .map(({ seed, sign }) => ({ seed: toHex(seed), sign }));
  removeMasks(sum, recovered, crypto);
  const [first, second] = entered.map(({ state }) => state.id) as [ClientId, ClientId];
  return {
    roundDigest: toHex(roundDigest),
    cohortDigest: toHex(cohort),
    threshold: unmasking.shape.threshold,
    order: unmasking.members,
    between0and1: {
      shareNonce: toHex(shareNonce(cohort, first, second, crypto)),
      pairSeedOfZeros: toHex(pairSeed(cohort, first, second, new Uint8Array(32), crypto)),
      signOf0: pairSign(first, second),
      selfSeedOf0: toHex(selfSeed(cohort, first, fromHex(entered[0]?.secrets.selfSeed ?? ''), crypto)),
    },
    clients: entered.map(({ state, bundle, secrets, input }, i) => ({
      id: state.id,
      ...secrets,
      bundle: toHex(bundle),
      sealedShares: toHex((shared[i] as (typeof shared)[number]).shares),
      input: [...input],
      masked: masked[i] === undefined ? null : [...masked[i].masked],
      ...(signed[i] === undefined
        ? {}
        : { signature: toHex(signed[i].signature), shownSignatures: toHex(shown[i] as Uint8Array) }),
      unmaskReply: replies[i] === undefined ? null : toHex(replies[i]),
    })),
    survivors: toHex(survivors),
    survivorDigest: toHex(survivorDigest(cohort, survivors, crypto)),
    maskedSum,
    corrections,
    sum: [...sum],
  };
}

function going<T extends { phase: string }, P extends T['phase']>(
  state: T,
  phase: P,
): Extract<T, { phase: P }> {
  if (state.phase !== phase) throw new Error(`the exchange is in phase ${state.phase}`);
  return state as Extract<T, { phase: P }>;
}
