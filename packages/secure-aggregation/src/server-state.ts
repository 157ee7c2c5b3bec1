import type { ClientId, CohortDigest, CryptoSuite, RoundDigest } from './crypto-suite.ts';
import { RefusalError, type AbortReason, type RefusalReason } from './errors.ts';
import { bitmapOf, LARGEST_COMPLETE_GRAPH, thresholdFor } from './graph.ts';
import { checkBundle, checkKeys, cohortDigest, type Member } from './key-bundle.ts';
import { concatBytes, UsageError } from '@tutti/base';
import {
  decodeRecords,
  encodeRecords,
  SEALED_SHARE_BYTES,
  UNMASK_RECORD_BYTES,
  type Indexed,
} from './share-records.ts';

/** A message that is not taken: the state stays as it was. */
export interface Refused {
  readonly refused: RefusalReason;
  readonly detail: string;
}

/** The exchange ended without a sum. */
export interface Aborted {
  readonly phase: 'aborted';
  readonly reason: AbortReason;
}

interface Common {
  readonly crypto: CryptoSuite;
  readonly roundDigest: RoundDigest;
}

/** Phase 1: bundles come in. */
export interface Advertising extends Common {
  readonly phase: 'advertise-keys';
  readonly largest: number;
  readonly smallest: number;
  readonly bundles: ReadonlyMap<ClientId, Member>;
  /** Keys that members showed; see checkKeys. */
  readonly keys: ReadonlySet<string>;
}

interface InCohort extends Common {
  /** U1, sorted by id; a position in it names a member on the wire. */
  readonly members: readonly ClientId[];
  readonly cohort: readonly Member[];
  readonly cohortDigest: CohortDigest;
  readonly threshold: number;
}

/** Phase 2: sealed shares come in. */
export interface Sharing extends InCohort {
  readonly phase: 'share-keys';
  /** Every member's bundle, in order. */
  readonly roster: Uint8Array;
  readonly shares: ReadonlyMap<ClientId, readonly Indexed[]>;
}

/** Phase 3: masked inputs are counted. */
export interface Collecting extends InCohort {
  readonly phase: 'masked-input';
  /** U2. */
  readonly sharers: readonly ClientId[];
  readonly counted: ReadonlySet<ClientId>;
  /** What `member` of U2 was sent by the others of U2. */
  relay(member: ClientId): Uint8Array;
}

/** Phase 5: unmask shares come in. */
export interface Unmasking extends InCohort {
  readonly phase: 'unmask';
  readonly sharers: readonly ClientId[];
  /** U3 as a bitmap over the roster. */
  readonly survivors: Uint8Array;
  readonly survivorIds: readonly ClientId[];
  readonly droppedIds: readonly ClientId[];
  readonly replies: ReadonlyMap<ClientId, readonly Indexed[]>;
}

/** Any phase of a group on the coordinator. */
export type GroupState = Advertising | Sharing | Collecting | Unmasking | Aborted;

const refuse = (refused: RefusalReason, detail: string): Refused => ({ refused, detail });

/** Whether a transition's answer is a refusal. */
export function isRefused<T>(answer: T | Refused): answer is Refused {
  return typeof answer === 'object' && answer !== null && 'refused' in answer;
}

/**
 * Begins phase 1 for a group of `smallest` to `largest` clients.
 * @throws {UsageError} for a group too large for the complete graph.
 */
export function collectKeys(
  options: Common & { readonly largest: number; readonly smallest: number },
): Advertising {
  if (options.largest > LARGEST_COMPLETE_GRAPH)
    throw new UsageError(
      `a group of ${options.largest}; at most ${LARGEST_COMPLETE_GRAPH} mask together on the complete graph`,
    );
  return { ...options, phase: 'advertise-keys', bundles: new Map(), keys: new Set() };
}

/** Takes a bundle. A second, different one from the same client is refused; the same again changes nothing. */
export function addBundle(state: Advertising, bytes: Uint8Array): Advertising | Refused {
  let member: Member;
  try {
    member = checkBundle(bytes, state.roundDigest, state.crypto);
  } catch (error) {
    return refusalOf(error);
  }
  const known = state.bundles.get(member.id);
  if (known !== undefined)
    return sameBytes(known.bytes, bytes)
      ? state
      : refuse('duplicate-member', `${member.id} advertised other keys before`);
  if (state.bundles.size >= state.largest)
    return refuse('cohort-full', `the group holds ${state.largest} clients`);
  const keys = new Set(state.keys);
  try {
    checkKeys(member, keys);
  } catch (error) {
    return refusalOf(error);
  }
  return { ...state, bundles: new Map(state.bundles).set(member.id, member), keys };
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

function refusalOf(error: unknown): Refused {
  if (error instanceof RefusalError) return refuse(error.reason, error.detail);
  throw error;
}

/** Ends phase 1: who advertised is U1. */
export function closeKeys(state: Advertising): Sharing | Aborted {
  if (state.bundles.size < Math.max(2, state.smallest))
    return { phase: 'aborted', reason: 'too-few-clients' };
  const cohort = [...state.bundles.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const { crypto, roundDigest } = state;
  return {
    phase: 'share-keys',
    crypto,
    roundDigest,
    cohort,
    members: cohort.map(({ id }) => id),
    cohortDigest: cohortDigest(roundDigest, cohort, crypto),
    threshold: thresholdFor(cohort.length),
    roster: concatBytes(...cohort.map(({ bytes }) => bytes)),
    shares: new Map(),
  };
}

/** Takes a member's sealed shares: one for every other member, or it is refused. */
export function addShares(state: Sharing, from: ClientId, bytes: Uint8Array): Sharing | Refused {
  const index = state.members.indexOf(from);
  if (index < 0) return refuse('not-a-member', `${from} is not in this group`);
  if (state.shares.has(from)) return refuse('already-answered', `${from} shared keys before`);
  try {
    const records = decodeRecords(bytes, SEALED_SHARE_BYTES, state.members.length);
    if (records.some((record) => record.index === index))
      return refuse('malformed', 'a share for the sender itself');
    if (records.length !== state.members.length - 1)
      return refuse('share-missing', `${records.length} shares; ${state.members.length - 1} are asked for`);
    return { ...state, shares: new Map(state.shares).set(from, records) };
  } catch (error) {
    return refusalOf(error);
  }
}

/** Ends phase 2: who shared keys is U2. */
export function closeShares(state: Sharing): Collecting | Aborted {
  const sharers = state.members.filter((id) => state.shares.has(id));
  if (sharers.length <= state.threshold) return { phase: 'aborted', reason: 'too-few-sharers' };
  const { shares, members } = state;
  const byIndex = sharers.map((sender) => ({
    position: members.indexOf(sender),
    records: shares.get(sender) ?? [],
  }));
  return {
    ...common(state),
    phase: 'masked-input',
    sharers,
    counted: new Set(),
    relay(member) {
      const own = members.indexOf(member);
      return encodeRecords(
        byIndex.flatMap(({ position, records }) => {
          const record = records.find(({ index }) => index === own);
          return record === undefined ? [] : [{ index: position, body: record.body }];
        }),
      );
    },
  };
}

function common({
  crypto,
  roundDigest,
  members,
  cohort,
  cohortDigest: digest,
  threshold,
}: InCohort): InCohort {
  return { crypto, roundDigest, members, cohort, cohortDigest: digest, threshold };
}

/** Counts a finished upload; its words were added to the group's running sum, once. */
export function countInput(state: Collecting, from: ClientId): Collecting | Refused {
  if (!state.sharers.includes(from))
    return refuse('not-a-member', `${from} did not share keys in this group`);
  if (state.counted.has(from)) return refuse('already-answered', `the input of ${from} is counted`);
  return { ...state, counted: new Set(state.counted).add(from) };
}

/** Ends phase 3: who was counted is U3. */
export function closeInputs(state: Collecting): Unmasking | Aborted {
  const survivorIds = state.sharers.filter((id) => state.counted.has(id));
  // Nobody holds a share of its own secret: each survivor's comes back from t others.
  if (survivorIds.length <= state.threshold) return { phase: 'aborted', reason: 'too-few-survivors' };
  return {
    ...common(state),
    phase: 'unmask',
    sharers: state.sharers,
    survivors: bitmapOf(
      survivorIds.map((id) => state.members.indexOf(id)),
      state.members.length,
    ),
    survivorIds,
    droppedIds: state.sharers.filter((id) => !state.counted.has(id)),
    replies: new Map(),
  };
}

/** Takes a survivor's unmask answer: one share for every other member of U2, or it is refused. */
export function addUnmaskReply(state: Unmasking, from: ClientId, bytes: Uint8Array): Unmasking | Refused {
  if (!state.survivorIds.includes(from)) return refuse('not-a-member', `${from} is not among the survivors`);
  if (state.replies.has(from)) return refuse('already-answered', `${from} answered before`);
  try {
    const records = decodeRecords(bytes, UNMASK_RECORD_BYTES, state.members.length);
    const asked = state.sharers.filter((id) => id !== from);
    const missing = asked.filter((id) => !records.some(({ index }) => state.members[index] === id));
    if (missing.length > 0) return refuse('share-missing', `${missing.length} shares are missing`);
    if (records.length !== asked.length)
      return refuse('malformed', `${records.length} shares; ${asked.length} are asked for`);
    return { ...state, replies: new Map(state.replies).set(from, records) };
  } catch (error) {
    return refusalOf(error);
  }
}
