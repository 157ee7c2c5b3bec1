import { equalBytes, UsageError, wipe, type SecureRandom } from '@tutti/base';
import type { ClientId, CohortDigest, CryptoSuite, KeyPair, RoundDigest } from './crypto-suite.ts';
import { RefusalError } from './errors.ts';
import { bitAt, thresholdFor } from './graph.ts';
import { clientIdOf } from './ids.ts';
import {
  bundleDigest,
  checkRoster,
  cohortDigest,
  encodeKeyBundle,
  KEY_BUNDLE_BYTES,
  TOKEN_BYTES,
  type Member,
} from './key-bundle.ts';
import type { MaskedInput, QuantizedInput } from './ring.ts';
import { splitSecret } from './shamir.ts';
import {
  decodeRecords,
  encodeRecords,
  pairSeed,
  pairSign,
  SEALED_SHARE_BYTES,
  selfSeed,
  shareNonce,
  type Indexed,
} from './share-records.ts';

/** Phase 1 is over: keys are made and advertised. */
export interface ClientAdvertised {
  readonly phase: 'advertised';
  readonly id: ClientId;
  readonly roundDigest: RoundDigest;
  readonly encryption: KeyPair;
  readonly mask: KeyPair;
  readonly seed: Uint8Array;
  readonly nonce: Uint8Array;
  readonly bundle: Uint8Array;
  readonly random: SecureRandom;
  readonly crypto: CryptoSuite;
}

/** Phase 2 is over: shares are sealed and sent. */
export interface ClientShared {
  readonly phase: 'shared';
  readonly own: ClientAdvertised;
  readonly cohort: CohortDigest;
  readonly members: readonly Member[];
  readonly index: number;
  readonly threshold: number;
  /** Sealing key of each neighbour, by position: made once, used to seal and to open. */
  readonly sealingKeys: ReadonlyMap<number, Uint8Array>;
}

/** Phase 3 is over: the input is masked; the neighbours' shares are held for phase 5. */
export interface ClientMasked {
  readonly phase: 'masked';
  readonly id: ClientId;
  readonly index: number;
  readonly members: number;
  readonly threshold: number;
  /** What each other member of U2 entrusted to this client. */
  readonly held: readonly {
    readonly index: number;
    readonly seedShare: Uint8Array;
    readonly keyShare: Uint8Array;
  }[];
}

/** The one answer is given; there is nothing left to tell. */
export interface ClientFinished {
  readonly phase: 'finished';
}

/** Any phase of a client in an attempt. */
export type ClientPhase = ClientAdvertised | ClientShared | ClientMasked | ClientFinished;

/** What a client needs to advertise keys. */
export interface AdvertiseOptions {
  readonly roundDigest: RoundDigest;
  readonly identity: KeyPair;
  readonly token?: Uint8Array;
  readonly random: SecureRandom;
  readonly crypto: CryptoSuite;
}

/** States that a transition used up, or that were abandoned: their secrets are wiped, and must not be used as zeros. */
const spent = new WeakSet<ClientPhase>();

function checkFresh(state: ClientPhase): void {
  if (spent.has(state))
    throw new RefusalError('already-answered', `phase ${state.phase} of this attempt is over`);
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
  const nonce = random.bytes(32);
  const bundle = encodeKeyBundle({
    roundDigest,
    identityKey: identity.publicKey,
    encryptionKey: encryption.publicKey,
    maskKey: mask.publicKey,
    nonceCommitment: crypto.digest('commit-nonce', roundDigest, nonce),
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

/**
 * Phase 2. Checks the roster and seals a share of each secret for every neighbour.
 * @throws {RefusalError} with the reason when the roster must not be accepted; the secrets are wiped then.
 */
export function shareKeys(
  state: ClientAdvertised,
  roster: Uint8Array,
  { smallestCohort }: { readonly smallestCohort: number },
): { state: ClientShared; shares: Uint8Array } {
  return orAbandon(state, () => {
    const { crypto, random } = state;
    const members = checkRoster(roster, state.roundDigest, crypto);
    if (members.length < smallestCohort)
      throw new RefusalError(
        'cohort-too-small',
        `${members.length} members; at least ${smallestCohort} are asked for`,
      );
    const index = members.findIndex(({ id }) => id === state.id);
    if (index < 0) throw new RefusalError('own-bundle-missing', 'the roster does not hold this client');
    if (!equalBytes((members[index] as Member).bytes, state.bundle))
      throw new RefusalError('own-bundle-changed', 'the roster holds another bundle for this client');
    const cohort = cohortDigest(state.roundDigest, members, crypto);
    const threshold = thresholdFor(members.length);
    const neighbours = members.map((member, at) => ({ member, at })).filter(({ at }) => at !== index);
    const points = neighbours.map(({ at }) => at + 1);
    const draw = (length: number): Uint8Array => random.bytes(length);
    // Before anything is split: a key that no secret can be agreed with ends the attempt here.
    const sealingKeys = new Map(neighbours.map(({ member, at }) => [at, sharedWith(state, member)] as const));
    const seedShares = splitSecret(state.seed, threshold, points, draw);
    const keyShares = splitSecret(state.mask.secretKey, threshold, points, draw);
    const records = neighbours.map(({ member, at }, i): Indexed => {
      const payload = new Uint8Array(64);
      payload.set(seedShares[i] as Uint8Array, 0);
      payload.set(keyShares[i] as Uint8Array, 32);
      const key = sealingKeys.get(at) as Uint8Array;
      const body = crypto.seal(payload, shareNonce(cohort, state.id, member.id, crypto), key);
      wipe(payload);
      return { index: at, body };
    });
    wipe(...seedShares, ...keyShares);
    spent.add(state);
    return {
      state: { phase: 'shared', own: state, cohort, members, index, threshold, sealingKeys },
      shares: encodeRecords(records),
    };
  });
}

function sharedWith(state: ClientAdvertised, member: Member): Uint8Array {
  try {
    return state.crypto.sharedKey(member.bundle.encryptionKey, state.encryption.secretKey);
  } catch (cause) {
    throw new RefusalError('low-order-key', `the encryption key of ${member.id}`, { cause });
  }
}

/**
 * Phase 3. Opens the relayed shares (their senders and this client are U2) and masks `input`.
 * @param relayed sealed records addressed to this client, by sender.
 * @param input not modified.
 * @throws {RefusalError} when a share is unreadable or fewer than the threshold came; the secrets are wiped then.
 */
export function maskInput(
  state: ClientShared,
  relayed: Uint8Array,
  input: QuantizedInput,
): { state: ClientMasked; masked: MaskedInput } {
  const { own, cohort, members, index, threshold } = state;
  return orAbandon(state, () => {
    const { crypto } = own;
    const records = decodeRecords(relayed, SEALED_SHARE_BYTES, members.length);
    if (records.length < threshold)
      throw new RefusalError(
        'too-few-survivors',
        `${records.length} neighbours shared keys; ${threshold} are needed`,
      );
    const held = records.map((record) => openShare(state, record));
    const masked = Uint32Array.from(input);
    const self = selfSeed(cohort, own.id, own.seed, crypto);
    crypto.addKeystream(masked, self, 1);
    wipe(self);
    for (const record of records) addPairMask(state, members[record.index] as Member, masked);
    abandon(state);
    return {
      state: { phase: 'masked', id: own.id, index, members: members.length, threshold, held },
      masked: masked as MaskedInput,
    };
  });
}

function openShare(state: ClientShared, { index, body }: Indexed): ClientMasked['held'][number] {
  const { own, cohort, members } = state;
  const sender = members[index] as Member;
  if (index === state.index) throw new RefusalError('malformed', 'a share came from this client itself');
  const key = state.sealingKeys.get(index) as Uint8Array;
  const payload = own.crypto.open(body, shareNonce(cohort, sender.id, own.id, own.crypto), key);
  if (payload === undefined)
    throw new RefusalError('share-unreadable', `the share from ${sender.id} does not open`);
  return { index, seedShare: payload.subarray(0, 32), keyShare: payload.subarray(32, 64) };
}

function addPairMask({ own, cohort }: ClientShared, other: Member, target: Uint32Array): void {
  const { crypto } = own;
  let shared: Uint8Array;
  try {
    shared = crypto.sharedKey(other.bundle.maskKey, own.mask.secretKey);
  } catch (cause) {
    throw new RefusalError('low-order-key', `the mask key of ${other.id}`, { cause });
  }
  const seed = pairSeed(cohort, own.id, other.id, shared, crypto);
  crypto.addKeystream(target, seed, pairSign(own.id, other.id));
  wipe(shared, seed);
}

/**
 * Phase 5. For each other member of U2 exactly one share: of its self seed if it survived, of its mask key if not.
 * @param survivors U3 as a bitmap over the roster.
 * @throws {RefusalError} when U3 leaves this client out, is not within U2, or is below the threshold.
 */
export function answerUnmask(
  state: ClientMasked,
  survivors: Uint8Array,
): { state: ClientFinished; reply: Uint8Array } {
  return orAbandon(state, () => {
    const known = new Set([state.index, ...state.held.map(({ index }) => index)]);
    if (survivors.length !== Math.ceil(state.members / 8))
      throw new RefusalError(
        'malformed',
        `a bitmap of ${survivors.length} bytes over ${state.members} members`,
      );
    let count = 0;
    for (let index = 0; index < 8 * survivors.length; index++) {
      if (!bitAt(survivors, index)) continue;
      if (!known.has(index))
        throw new RefusalError('survivors-outside-cohort', `position ${index} did not share keys`);
      count++;
    }
    if (!bitAt(survivors, state.index))
      throw new RefusalError('called-dropped', 'this client uploaded and is called dropped');
    if (count <= state.threshold)
      throw new RefusalError('too-few-survivors', `${count} survivors; ${state.threshold + 1} are needed`);
    const reply = encodeRecords(
      state.held.map(({ index, seedShare, keyShare }) => ({
        index,
        body: bitAt(survivors, index) ? seedShare : keyShare,
      })),
    );
    abandon(state);
    return { state: { phase: 'finished' }, reply };
  });
}

/** Wipes every secret of a phase. Call it when an attempt ends early. */
export function abandon(state: ClientPhase): void {
  spent.add(state);
  if (state.phase === 'advertised') wipeOwn(state);
  if (state.phase === 'shared') {
    wipeOwn(state.own);
    wipe(...state.sealingKeys.values());
  }
  if (state.phase === 'masked') for (const { seedShare, keyShare } of state.held) wipe(seedShare, keyShare);
}

function wipeOwn(own: ClientAdvertised): void {
  wipe(own.encryption.secretKey, own.mask.secretKey, own.seed, own.nonce);
}

function orAbandon<T>(state: ClientPhase, step: () => T): T {
  checkFresh(state);
  try {
    return step();
  } catch (error) {
    abandon(state);
    throw error;
  }
}
