import { systemRandom, utf8 } from '@tutti/base';
import { beforeEach, describe, expect, it } from 'vitest';
import { accepted, ACTIVE, SEMI_HONEST } from '../test/exchange.ts';
import {
  addBundle,
  addNonce,
  addShares,
  addSignature,
  advertiseKeys,
  answerSigned,
  answerUnmask,
  closeInputs,
  closeKeys,
  closeNonces,
  closeShares,
  closeSignatures,
  collectKeys,
  countInput,
  enterCohort,
  isRefused,
  KEY_BUNDLE_BYTES,
  maskInput,
  RefusalError,
  shareKeys,
  SIGNATURE_RECORD_BYTES,
  signSurvivors,
  type ClientAdvertised,
  type ClientEntered,
  type ClientMasked,
  type ClientSigned,
  type GraphRules,
  type KeyPair,
  type QuantizedInput,
  type Refused,
  type Revealing,
  type RoundDigest,
  type Sharing,
  type Signing,
} from './index.ts';
import { nodeCrypto as crypto } from './node.ts';

/** Refusals of the phases that only active groups and only sparse ones have: each with its exact reason. */

const random = systemRandom();
const roundDigest = crypto.digest('round', utf8('active')) as RoundDigest;
const input = Uint32Array.of(1, 2, 3) as QuantizedInput;

function reasonOf(work: () => unknown): string {
  try {
    const answer = work();
    return typeof answer === 'object' && answer !== null && isRefused(answer as Refused)
      ? (answer as Refused).refused
      : 'accepted';
  } catch (error) {
    if (error instanceof RefusalError) return error.reason;
    throw error;
  }
}

interface Party {
  readonly identity: KeyPair;
  readonly advertised: ClientAdvertised;
}

/** `n` parties in the order of their ids, and their closed cohort. */
function cohort(n: number, rules: GraphRules): { parties: Party[]; closed: Revealing | Sharing } {
  let advertising = collectKeys({ crypto, roundDigest, rules, largest: n, smallest: 2 });
  const parties = Array.from({ length: n }, () => {
    const identity = crypto.signKeyPair(random);
    const { state, bundle } = advertiseKeys({ roundDigest, identity, random, crypto });
    advertising = accepted(addBundle(advertising, bundle));
    return { identity, advertised: state };
  }).sort((a, b) => (a.advertised.id < b.advertised.id ? -1 : 1));
  const closed = closeKeys(advertising);
  if (closed.phase === 'aborted') throw new Error(closed.reason);
  return { parties, closed };
}

const flip = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

describe('survivors, in an active group of seven on the complete graph (t = 5)', () => {
  const N = 7;
  let parties: Party[];
  let masked: ClientMasked[];
  let signing: Signing;

  /** Member 6 shares keys and drops out. */
  beforeEach(() => {
    const made = cohort(N, ACTIVE);
    ({ parties } = made);
    if (made.closed.phase !== 'share-keys') throw new Error('not complete');
    let sharing = made.closed;
    const shared = parties.map(({ advertised }) => {
      const { state } = enterCohort(advertised, sharing.roster, { ...ACTIVE, smallestCohort: 2 });
      const result = shareKeys(state);
      sharing = accepted(addShares(sharing, advertised.id, result.shares));
      return result.state;
    });
    let collecting = closeShares(sharing);
    masked = [];
    for (const state of shared.slice(0, N - 1)) {
      if (collecting.phase === 'aborted') throw new Error(collecting.reason);
      masked.push(maskInput(state, collecting.relay(state.own.id), input).state);
      collecting = accepted(countInput(collecting, state.own.id));
    }
    if (collecting.phase === 'aborted') throw new Error(collecting.reason);
    const closed = closeInputs(collecting);
    if (closed.phase !== 'survivors') throw new Error(closed.phase);
    signing = closed;
  });

  const sign = (at: number, survivors = signing.survivors): { state: ClientSigned; signature: Uint8Array } =>
    signSurvivors(masked[at]!, survivors, parties[at]!.identity.secretKey);
  const record = (at: number, signature: Uint8Array): Uint8Array => joined(Uint8Array.of(at, 0), signature);
  const signed = (...members: number[]): Uint8Array =>
    joined(...members.map((at) => record(at, sign(at).signature)));

  it('are signed and unmasked, once', () => {
    const own = sign(0).state;
    const others = signed(1, 2, 3, 4, 5);
    expect(answerSigned(own, others).reply).toHaveLength((N - 1) * 34);
    expect(reasonOf(() => answerSigned(own, others))).toBe('already-answered');
    expect(reasonOf(() => sign(0))).toBe('already-answered');
  });

  it.each<[string, () => unknown, string]>([
    [
      'a client that is asked to unmask without signatures',
      () => answerUnmask(masked[0]!, signing.survivors),
      'wrong-phase',
    ],
    ['a client that is called dropped', () => sign(0, Uint8Array.of(0b0111110)), 'called-dropped'],
    ['survivors below the floor of t + 1 = 6', () => sign(0, Uint8Array.of(0b0011111)), 'too-few-survivors'],
    ['a survivor outside the roster', () => sign(0, Uint8Array.of(0b10111111)), 'survivors-outside-cohort'],
    ['a bitmap of another length', () => sign(0, new Uint8Array(2)), 'malformed'],
    ['a second list after the first', () => [sign(0), sign(0, Uint8Array.of(0b1111111))], 'already-answered'],
    ['fewer signatures than t', () => answerSigned(sign(0).state, signed(1, 2, 3, 4)), 'too-few-signatures'],
    [
      'a forged signature',
      () => answerSigned(sign(0).state, joined(record(1, flip(sign(1).signature, 3)), signed(2, 3, 4, 5))),
      'bad-signature',
    ],
    [
      'signatures of another list: a split view',
      () =>
        answerSigned(
          sign(0).state,
          joined(...[1, 2, 3, 4, 5].map((at) => record(at, sign(at, Uint8Array.of(0b1111111)).signature))),
        ),
      'bad-signature',
    ],
    [
      'a neighbour’s signature under another’s name',
      () => answerSigned(sign(0).state, joined(record(1, sign(2).signature), signed(3, 4, 5))),
      'bad-signature',
    ],
    [
      'one neighbour’s signature twice',
      () => {
        const one = signed(1);
        return answerSigned(sign(0).state, joined(one, one, signed(2, 3, 4)));
      },
      'malformed',
    ],
    [
      'its own signature shown to it',
      () => {
        const { state, signature } = sign(0);
        return answerSigned(state, joined(record(0, signature), signed(1, 2, 3, 4)));
      },
      'not-a-member',
    ],
    [
      'a dropped member’s signature',
      () => answerSigned(sign(0).state, joined(signed(1, 2, 3, 4, 5), record(6, new Uint8Array(64)))),
      'not-a-member',
    ],
    [
      'signatures that are torn',
      () => answerSigned(sign(0).state, new Uint8Array(SIGNATURE_RECORD_BYTES - 1)),
      'malformed',
    ],
  ])('%s', (_name, work, reason) => expect(reasonOf(work)).toBe(reason));

  it('a refusal wipes what was held', () => {
    const { state } = sign(0);
    reasonOf(() => answerSigned(state, new Uint8Array(0)));
    expect(state.held.flatMap(({ seedShare, keyShare }) => [...seedShare, ...keyShare])).toEqual(
      new Array(state.held.length * 64).fill(0),
    );
  });

  it('the coordinator takes a survivor’s signature of its own list, once, and nobody else’s', () => {
    const id = (at: number) => parties[at]!.advertised.id;
    const { signature } = sign(0);
    const once = accepted(addSignature(signing, id(0), signature));
    expect(reasonOf(() => addSignature(once, id(0), signature))).toBe('already-answered');
    expect(reasonOf(() => addSignature(signing, id(6), signature))).toBe('not-a-member');
    expect(reasonOf(() => addSignature(signing, id(1), signature))).toBe('bad-signature');
    expect(reasonOf(() => addSignature(signing, id(1), sign(1, Uint8Array.of(0b1111111)).signature))).toBe(
      'bad-signature',
    );
    expect(closeSignatures(once)).toEqual({ phase: 'aborted', reason: 'too-few-signatures' });
  });

  it('are not signed in a semi-honest group', () => {
    const state = { ...masked[0]!, mode: 'semi-honest' as const };
    expect(reasonOf(() => signSurvivors(state, signing.survivors, parties[0]!.identity.secretKey))).toBe(
      'wrong-phase',
    );
  });
});

describe('a sparse group of forty (k = 6, t = 3, at most two drop out)', () => {
  const N = 40;
  const RULES: GraphRules = { ...SEMI_HONEST, largestComplete: 8 };
  let parties: Party[];
  let revealing: Revealing;
  let nonces: Uint8Array;

  const enter = (at: number, roster = revealing.roster): ClientEntered =>
    enterCohort(parties[at]!.advertised, roster, { ...RULES, smallestCohort: 2 }).state;
  const withNonce = (at: number, nonce: Uint8Array): Uint8Array => {
    const changed = nonces.slice();
    changed.set(nonce, 32 * at);
    return changed;
  };

  beforeEach(() => {
    const made = cohort(N, RULES);
    ({ parties } = made);
    if (made.closed.phase !== 'reveal-nonces') throw new Error('not sparse');
    revealing = made.closed;
    nonces = joined(...parties.map(({ advertised }) => advertised.nonce));
  });

  it.each<[string, () => Uint8Array | undefined, string]>([
    ['none', () => undefined, 'malformed'],
    ['too few bytes', () => nonces.slice(32), 'malformed'],
    ['another nonce for itself', () => withNonce(0, new Uint8Array(32).fill(7)), 'nonce-mismatch'],
    ['none for itself', () => withNonce(0, new Uint8Array(32)), 'nonce-mismatch'],
    [
      'a nonce that its member did not commit to',
      () => withNonce(5, new Uint8Array(32).fill(7)),
      'nonce-mismatch',
    ],
    [
      'two members’ nonces swapped',
      () => {
        const swapped = withNonce(5, nonces.slice(32 * 6, 32 * 7));
        swapped.set(nonces.subarray(32 * 5, 32 * 6), 32 * 6);
        return swapped;
      },
      'nonce-mismatch',
    ],
    [
      'fewer than must survive',
      () => nonces.map((byte, i) => (i >= 32 && i < 32 * 4 ? 0 : byte)),
      'too-few-nonces',
    ],
    ['all but one', () => withNonce(5, new Uint8Array(32)), 'accepted'],
  ])('a client that is shown %s', (_name, shown, reason) => {
    const entered = enter(0);
    expect(reasonOf(() => shareKeys(entered, shown()))).toBe(reason);
    if (reason !== 'accepted') expect(entered.own.seed.every((byte) => byte === 0)).toBe(true);
  });

  it('a client checks its neighbours’ bundles; of others C makes masks that do not cancel', () => {
    const neighbours = new Set(shareKeys(enter(0), nonces).state.graph.neighbours(0));
    expect(neighbours.size).toBe(6);
    const forgedAt = (at: number): Uint8Array =>
      flip(revealing.roster, at * KEY_BUNDLE_BYTES + KEY_BUNDLE_BYTES - 1);
    // A changed signature changes C, which orders the graph anew: look for members on either side of it.
    const outcomes = Array.from({ length: 20 }, (_, i) => {
      const own = 1 + i;
      const forged = own === 39 ? 38 : 39;
      return reasonOf(() => {
        const entered = enter(own, forgedAt(forged));
        expect(entered.cohort).not.toEqual(revealing.cohortDigest);
        shareKeys(entered, nonces);
      });
    });
    expect(new Set(outcomes)).toEqual(new Set(['bad-signature', 'accepted']));
  });

  it('the coordinator takes the nonce that was committed to, once, from members', () => {
    const { id, nonce } = parties[0]!.advertised;
    const once = accepted(addNonce(revealing, id, nonce));
    expect(reasonOf(() => addNonce(once, id, nonce))).toBe('already-answered');
    expect(reasonOf(() => addNonce(revealing, parties[1]!.advertised.id, nonce))).toBe('nonce-mismatch');
    expect(reasonOf(() => addNonce(revealing, 'f'.repeat(32) as never, nonce))).toBe('not-a-member');
    expect(closeNonces(once)).toEqual({ phase: 'aborted', reason: 'too-few-nonces' });
  });

  it('shares go to all neighbours and to nobody else, on both sides', () => {
    const all = parties.reduce(
      (state, { advertised }) => accepted(addNonce(state, advertised.id, advertised.nonce)),
      revealing,
    );
    let sharing = closeNonces(all) as Sharing;
    const results = parties.map((_, at) => shareKeys(enter(at), sharing.nonces));
    const { id } = parties[0]!.advertised;
    const own = results[0]!.shares;
    expect(own).toHaveLength(6 * 82);
    const neighbours = sharing.graph.neighbours(0);
    const stranger = [...Array(N).keys()].findLast((at) => at !== 0 && !neighbours.includes(at)) as number;
    const extra = joined(Uint8Array.of(stranger, 0), new Uint8Array(80));
    const sorted = (records: Uint8Array): Uint8Array => {
      const parts = Array.from({ length: records.length / 82 }, (_, i) =>
        records.slice(82 * i, 82 * (i + 1)),
      );
      return joined(...parts.sort((a, b) => a[0]! - b[0]!));
    };
    expect(reasonOf(() => addShares(sharing, id, own.slice(82)))).toBe('share-missing');
    expect(reasonOf(() => addShares(sharing, id, sorted(joined(own, extra))))).toBe('not-a-member');
    results.forEach(({ shares }, at) => {
      sharing = accepted(addShares(sharing, parties[at]!.advertised.id, shares));
    });
    const collecting = closeShares(sharing);
    if (collecting.phase === 'aborted') throw new Error(collecting.reason);
    expect(
      reasonOf(() => maskInput(results[0]!.state, sorted(joined(collecting.relay(id), extra)), input)),
    ).toBe('not-a-member');
  });
});
