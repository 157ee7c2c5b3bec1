import { concatBytes, equalBytes, UsageError } from '@tutti/base';
import type { ClientId } from './crypto-suite.ts';
import {
  completeGraph,
  graphSeed,
  groupShape,
  LARGEST_GROUP,
  NONCE_BYTES,
  sparseGraph,
  type GroupGraph,
} from './graph.ts';
import { checkBundle, checkKeys, cohortDigest, nonceCommitment, type Member } from './key-bundle.ts';
import {
  inGraph,
  neighboursOf,
  positionOf,
  refusalOf,
  refuse,
  type Aborted,
  type Advertising,
  type Collecting,
  type Common,
  type InCohort,
  type Refused,
  type Revealing,
  type Sharing,
} from './server-state.ts';
import { decodeRecords, encodeRecords, SEALED_SHARE_BYTES, type Indexed } from './share-records.ts';

/** Phases 1 and 2 of a group on the coordinator: collect keys, draw the graph, collect shares. */

/**
 * Begins phase 1 for a group of `smallest` to `largest` clients.
 * @throws {UsageError} for a group that is too large.
 */
export function collectKeys(
  options: Common & { readonly largest: number; readonly smallest: number },
): Advertising {
  if (options.largest > LARGEST_GROUP)
    throw new UsageError(`a group of ${options.largest}; at most ${LARGEST_GROUP} mask together`);
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
    return equalBytes(known.bytes, bytes)
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

/** Ends phase 1: who advertised is U1. A sparse group draws its graph first. */
export function closeKeys(state: Advertising): Revealing | Sharing | Aborted {
  if (state.bundles.size < Math.max(2, state.smallest))
    return { phase: 'aborted', reason: 'too-few-clients' };
  const cohort = [...state.bundles.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const { crypto, roundDigest, rules } = state;
  const members = cohort.map(({ id }) => id);
  const fixed: InCohort = {
    crypto,
    roundDigest,
    rules,
    cohort,
    members,
    positions: new Map(members.map((id, at) => [id, at])),
    cohortDigest: cohortDigest(roundDigest, cohort, crypto),
    shape: groupShape(cohort.length, rules),
  };
  const roster = concatBytes(...cohort.map(({ bytes }) => bytes));
  return fixed.shape.kind === 'sparse'
    ? { ...fixed, phase: 'reveal-nonces', roster, nonces: new Map() }
    : beginSharing(fixed, roster, completeGraph(fixed.shape), members, undefined);
}

function beginSharing(
  fixed: InCohort,
  roster: Uint8Array,
  graph: GroupGraph,
  asked: readonly ClientId[],
  nonces: Uint8Array | undefined,
): Sharing {
  return {
    ...inGraph({ ...fixed, graph }),
    phase: 'share-keys',
    roster,
    asked,
    nonces,
    shares: new Map(),
  };
}

/** Takes a revealed nonce, if it is the one that its owner committed to. */
export function addNonce(state: Revealing, from: ClientId, nonce: Uint8Array): Revealing | Refused {
  const member = state.cohort[positionOf(state, from)];
  if (member === undefined) return refuse('not-a-member', `${from} is not in this group`);
  if (state.nonces.has(from)) return refuse('already-answered', `${from} revealed its nonce before`);
  const { roundDigest, crypto } = state;
  if (!equalBytes(nonceCommitment(roundDigest, nonce, crypto), member.bundle.nonceCommitment))
    return refuse('nonce-mismatch', `${from} committed to another nonce`);
  return { ...state, nonces: new Map(state.nonces).set(from, nonce) };
}

/** Draws the graph from what was revealed; who did not reveal is left out of what follows. */
export function closeNonces(state: Revealing): Sharing | Aborted {
  const { members, nonces, shape, cohortDigest: cohort, crypto } = state;
  if (nonces.size < shape.fewestSurvivors) return { phase: 'aborted', reason: 'too-few-nonces' };
  const all = concatBytes(...members.map((id) => nonces.get(id) ?? new Uint8Array(NONCE_BYTES)));
  const graph = sparseGraph(shape, graphSeed(cohort, all, crypto), crypto);
  const asked = members.filter((id) => nonces.has(id));
  return beginSharing(state, state.roster, graph, asked, all);
}

/** Takes a member's sealed shares: one for every neighbour, or it is refused. */
export function addShares(state: Sharing, from: ClientId, bytes: Uint8Array): Sharing | Refused {
  if (!state.asked.includes(from)) return refuse('not-a-member', `${from} may not share keys in this group`);
  if (state.shares.has(from)) return refuse('already-answered', `${from} shared keys before`);
  const own = positionOf(state, from);
  try {
    const records = decodeRecords(bytes, SEALED_SHARE_BYTES, state.members.length);
    if (records.some(({ index }) => index === own))
      return refuse('malformed', 'a share for the sender itself');
    const neighbours = state.graph.neighbours(own);
    const given = new Set(records.map(({ index }) => index));
    const missing = neighbours.filter((at) => !given.has(at)).length;
    if (missing > 0) return refuse('share-missing', `${missing} of ${neighbours.length} shares are missing`);
    if (records.length > neighbours.length)
      return refuse('not-a-member', 'a share for one who is no neighbour');
    return { ...state, shares: new Map(state.shares).set(from, records) };
  } catch (error) {
    return refusalOf(error);
  }
}

/** Ends phase 2: who shared keys is U2. */
export function closeShares(state: Sharing): Collecting | Aborted {
  const { shape, shares } = state;
  const sharers = state.members.filter((id) => shares.has(id));
  const isServed = (id: ClientId): boolean =>
    neighboursOf(state, id).filter((other) => shares.has(other)).length >= shape.threshold;
  if (sharers.length < shape.fewestSurvivors || !sharers.every(isServed))
    return { phase: 'aborted', reason: 'too-few-sharers' };
  const inboxes = inboxesOf(state, sharers);
  return {
    ...inGraph(state),
    phase: 'masked-input',
    sharers,
    counted: new Set(),
    relay: (member) => encodeRecords(inboxes.get(positionOf(state, member)) ?? []),
  };
}

/** What each member of U2 was sent, by position: senders rising. */
function inboxesOf(state: Sharing, sharers: readonly ClientId[]): Map<number, Indexed[]> {
  const inboxes = new Map(sharers.map((id) => [positionOf(state, id), [] as Indexed[]] as const));
  for (const sender of sharers) {
    const index = positionOf(state, sender);
    for (const record of state.shares.get(sender) ?? [])
      inboxes.get(record.index)?.push({ index, body: record.body });
  }
  return inboxes;
}
