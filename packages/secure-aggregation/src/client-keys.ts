import { equalBytes, secretBytes, UsageError, wipe, type SecureRandom } from '@tutti/base';
import {
  orAbandon,
  spend,
  type ClientAdvertised,
  type ClientEntered,
  type ClientShared,
} from './client-state.ts';
import type { CryptoSuite, KeyPair, RoundDigest } from './crypto-suite.ts';
import { RefusalError } from './errors.ts';
import {
  completeGraph,
  graphSeed,
  groupShape,
  NONCE_BYTES,
  sparseGraph,
  type GraphRules,
  type GroupGraph,
} from './graph.ts';
import { clientIdOf } from './ids.ts';
import {
  bundleDigest,
  checkSignature,
  cohortDigest,
  encodeKeyBundle,
  KEY_BUNDLE_BYTES,
  nonceCommitment,
  readRoster,
  TOKEN_BYTES,
  type Member,
} from './key-bundle.ts';
import { splitSecret } from './shamir.ts';
import { encodeRecords, pairSeed, shareNonce, type Indexed } from './share-records.ts';

/** Phases 1 and 2 of a client: advertise keys, enter the cohort, share keys. */

/** What a client needs to advertise keys. */
export interface AdvertiseOptions {
  readonly roundDigest: RoundDigest;
  readonly identity: KeyPair;
  readonly token?: Uint8Array;
  readonly random: SecureRandom;
  readonly crypto: CryptoSuite;
}

/**
 * Phase 1. Makes this attempt's keys, and the bundle that shows their public halves.
 * @throws {UsageError} for a token of another length than TOKEN_BYTES.
 */
export function advertiseKeys({ roundDigest, identity, token, random, crypto }: AdvertiseOptions): {
  state: ClientAdvertised;
  bundle: Uint8Array;
} {
  if (token !== undefined && token.length !== TOKEN_BYTES)
    throw new UsageError(`a token of ${token.length} bytes; ${TOKEN_BYTES} are needed`);
  const encryption = crypto.boxKeyPair(random);
  const mask = crypto.boxKeyPair(random);
  const seed = random.bytes(32);
  const nonce = random.bytes(NONCE_BYTES);
  const bundle = encodeKeyBundle({
    roundDigest,
    identityKey: identity.publicKey,
    encryptionKey: encryption.publicKey,
    maskKey: mask.publicKey,
    nonceCommitment: nonceCommitment(roundDigest, nonce, crypto),
    seedCommitment: crypto.digest('commit-seed', roundDigest, seed),
    token: token ?? new Uint8Array(TOKEN_BYTES),
    signature: new Uint8Array(64),
  });
  bundle.set(crypto.sign(bundleDigest(bundle, crypto), identity.secretKey), KEY_BUNDLE_BYTES - 64);
  const id = clientIdOf(identity.publicKey, crypto);
  return {
    state: { phase: 'advertised', id, roundDigest, encryption, mask, seed, nonce, bundle, random, crypto },
    bundle,
  };
}

/** What a client asks of a cohort. */
export interface CohortRules extends GraphRules {
  /** Fewest members that it masks with. */
  readonly smallestCohort: number;
}

/**
 * Phase 2, first half. Checks the roster. On the complete graph {@link shareKeys} follows at once; on a sparse one the client
 * reveals its nonce first, for the cohort is fixed now and the neighbours can be drawn.
 * @returns `nonce`: what to reveal, on a sparse graph.
 * @throws {RefusalError} with the reason when the roster must not be accepted; the secrets are wiped then.
 */
export function enterCohort(
  state: ClientAdvertised,
  roster: Uint8Array,
  rules: CohortRules,
): { state: ClientEntered; nonce: Uint8Array | undefined } {
  return orAbandon(state, () => {
    const { crypto, roundDigest } = state;
    const members = readRoster(roster, roundDigest, crypto);
    if (members.length < Math.max(2, rules.smallestCohort))
      throw new RefusalError(
        'cohort-too-small',
        `${members.length} members; at least ${rules.smallestCohort} are asked for`,
      );
    const index = members.findIndex(({ id }) => id === state.id);
    if (index < 0) throw new RefusalError('own-bundle-missing', 'the roster does not hold this client');
    if (!equalBytes((members[index] as Member).bytes, state.bundle))
      throw new RefusalError('own-bundle-changed', 'the roster holds another bundle for this client');
    const shape = groupShape(members.length, rules);
    const cohort = cohortDigest(roundDigest, members, crypto);
    spend(state);
    return {
      state: { phase: 'entered', mode: rules.mode, own: state, cohort, members, index, shape },
      nonce: shape.kind === 'sparse' ? state.nonce.slice() : undefined,
    };
  });
}

/**
 * Phase 2, second half. Checks the neighbours' signatures and seals a share of each secret for every neighbour.
 * @param nonces on a sparse graph: what the members revealed, 32 bytes each in roster order, zeros for who did not.
 * @param checkMember a further check of every neighbour, such as its enrolment; throws what it refuses.
 * @throws {RefusalError} with the reason when something must not be accepted; the secrets are wiped then.
 */
export function shareKeys(
  state: ClientEntered,
  nonces?: Uint8Array,
  checkMember: (member: Member) => void = () => undefined,
): { state: ClientShared; shares: Uint8Array } {
  return orAbandon(state, () => {
    const { own, members, cohort, index, mode } = state;
    const { crypto } = own;
    const graph = graphOf(state, nonces);
    const neighbours = graph.neighbours(index);
    for (const at of neighbours) {
      checkSignature(members[at] as Member, crypto);
      checkMember(members[at] as Member);
    }
    // Before anything is split: a key that no secret can be agreed with ends the attempt here.
    const sealingKeys = new Map(
      neighbours.map((at) => [at, sealingKey(own, members[at] as Member)] as const),
    );
    const pairSeeds = new Map(
      neighbours.map((at) => [at, pairSeedWith(state, members[at] as Member)] as const),
    );
    const shares = encodeRecords(sealShares(state, graph, sealingKeys));
    // Its shares are dealt, its seeds are made: nobody needs it here any more.
    wipe(own.mask.secretKey);
    spend(state);
    return {
      state: { phase: 'shared', mode, own, cohort, members, index, graph, sealingKeys, pairSeeds },
      shares,
    };
  });
}

function graphOf({ shape, own, cohort, members, index }: ClientEntered, nonces?: Uint8Array): GroupGraph {
  if (shape.kind === 'complete') return completeGraph(shape);
  if (nonces?.length !== NONCE_BYTES * members.length)
    throw new RefusalError(
      'malformed',
      `${nonces?.length ?? 0} bytes of nonces for ${members.length} members`,
    );
  const { crypto, roundDigest } = own;
  let revealed = 0;
  for (const [at, { id, bundle }] of members.entries()) {
    const nonce = nonces.subarray(NONCE_BYTES * at, NONCE_BYTES * (at + 1));
    if (at === index ? !equalBytes(nonce, own.nonce) : nonce.every((byte) => byte === 0)) {
      if (at === index) throw new RefusalError('nonce-mismatch', 'this client revealed another nonce');
      continue;
    }
    if (!equalBytes(nonceCommitment(roundDigest, nonce, crypto), bundle.nonceCommitment))
      throw new RefusalError('nonce-mismatch', `${id} committed to another nonce`);
    revealed++;
  }
  if (revealed < shape.fewestSurvivors)
    throw new RefusalError(
      'too-few-nonces',
      `${revealed} members revealed a nonce; ${shape.fewestSurvivors} are needed`,
    );
  return sparseGraph(shape, graphSeed(cohort, nonces, crypto), crypto);
}

function sealShares(
  { own, members, cohort, index }: ClientEntered,
  graph: GroupGraph,
  sealingKeys: ReadonlyMap<number, Uint8Array>,
): Indexed[] {
  const { crypto, random } = own;
  const { threshold } = graph.shape;
  const neighbours = graph.neighbours(index);
  const points = neighbours.map((at) => at + 1);
  const draw = (length: number): Uint8Array => random.bytes(length);
  const seedShares = splitSecret(own.seed, threshold, points, draw);
  const keyShares = splitSecret(own.mask.secretKey, threshold, points, draw);
  const records = neighbours.map((at, i): Indexed => {
    const payload = secretBytes(64);
    payload.set(seedShares[i] as Uint8Array, 0);
    payload.set(keyShares[i] as Uint8Array, 32);
    const nonce = shareNonce(cohort, own.id, (members[at] as Member).id, crypto);
    const body = crypto.seal(payload, nonce, sealingKeys.get(at) as Uint8Array);
    wipe(payload);
    return { index: at, body };
  });
  wipe(...seedShares, ...keyShares);
  return records;
}

function sealingKey({ crypto, encryption }: ClientAdvertised, member: Member): Uint8Array {
  return agree(crypto, member.bundle.encryptionKey, encryption.secretKey, `encryption key of ${member.id}`);
}

function pairSeedWith({ own, cohort }: ClientEntered, member: Member): Uint8Array {
  const { crypto, mask } = own;
  const shared = agree(crypto, member.bundle.maskKey, mask.secretKey, `mask key of ${member.id}`);
  const seed = pairSeed(cohort, own.id, member.id, shared, crypto);
  wipe(shared);
  return seed;
}

function agree(crypto: CryptoSuite, publicKey: Uint8Array, secretKey: Uint8Array, name: string): Uint8Array {
  try {
    return crypto.sharedKey(publicKey, secretKey);
  } catch (cause) {
    throw new RefusalError('low-order-key', `the ${name}`, { cause });
  }
}
