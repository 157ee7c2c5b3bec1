import type { ClientId } from './crypto-suite.ts';
import { bitmapOf } from './graph.ts';
import type { Member } from './key-bundle.ts';
import {
  inGraph,
  neighboursOf,
  positionOf,
  refusalOf,
  refuse,
  type Aborted,
  type Collecting,
  type Refused,
  type Signing,
  type Unmasking,
} from './server-state.ts';
import { decodeRecords, encodeRecords, survivorDigest, UNMASK_RECORD_BYTES } from './share-records.ts';

/** Phases 3 to 5 of a group on the coordinator: count inputs, collect signatures of the survivors, collect unmask shares. */

/** Counts a finished upload; its words were added to the group's running sum, once. */
export function countInput(state: Collecting, from: ClientId): Collecting | Refused {
  if (!state.sharers.includes(from))
    return refuse('not-a-member', `${from} did not share keys in this group`);
  if (state.counted.has(from)) return refuse('already-answered', `the input of ${from} is counted`);
  return { ...state, counted: new Set(state.counted).add(from) };
}

/** Ends phase 3: who was counted is U3. Nothing is unmasked where a mask could not be taken away. */
export function closeInputs(state: Collecting): Signing | Unmasking | Aborted {
  const survivorIds = state.sharers.filter((id) => state.counted.has(id));
  if (survivorIds.length < state.shape.fewestSurvivors || !canRebuild(state, survivorIds))
    return { phase: 'aborted', reason: 'too-few-survivors' };
  const closed = {
    ...inGraph(state),
    sharers: state.sharers,
    survivors: bitmapOf(
      survivorIds.map((id) => positionOf(state, id)),
      state.members.length,
    ),
    survivorIds,
    droppedIds: state.sharers.filter((id) => !state.counted.has(id)),
  };
  return state.rules.mode === 'active'
    ? { ...closed, phase: 'survivors', signatures: new Map() }
    : { ...closed, phase: 'unmask', asked: survivorIds, replies: new Map() };
}

/** Whether each member of U2 has at least t neighbours among those who answer. */
function canRebuild(state: Collecting | Signing, answering: readonly ClientId[]): boolean {
  const answers = new Set(answering);
  return state.sharers.every(
    (id) => neighboursOf(state, id).filter((other) => answers.has(other)).length >= state.shape.threshold,
  );
}

/** Takes a survivor's signature of who survived. */
export function addSignature(state: Signing, from: ClientId, signature: Uint8Array): Signing | Refused {
  if (!state.survivorIds.includes(from)) return refuse('not-a-member', `${from} is not among the survivors`);
  if (state.signatures.has(from)) return refuse('already-answered', `${from} signed before`);
  const { bundle } = state.cohort[positionOf(state, from)] as Member;
  const digest = survivorDigest(state.cohortDigest, state.survivors, state.crypto);
  if (!state.crypto.verify(digest, signature, bundle.identityKey))
    return refuse('bad-signature', `${from} signed other survivors`);
  return { ...state, signatures: new Map(state.signatures).set(from, signature) };
}

/** Ends phase 4: those who signed and can be shown the signatures of t neighbours are asked to unmask. */
export function closeSignatures(state: Signing): Unmasking | Aborted {
  const { signatures, shape } = state;
  const signersNear = (id: ClientId): ClientId[] =>
    neighboursOf(state, id).filter((other) => signatures.has(other));
  const asked = state.survivorIds.filter(
    (id) => signatures.has(id) && signersNear(id).length >= shape.threshold,
  );
  if (!canRebuild(state, asked)) return { phase: 'aborted', reason: 'too-few-signatures' };
  return {
    ...inGraph(state),
    phase: 'unmask',
    sharers: state.sharers,
    survivors: state.survivors,
    survivorIds: state.survivorIds,
    droppedIds: state.droppedIds,
    asked,
    signatures: (member) =>
      encodeRecords(
        signersNear(member).map((id) => ({
          index: positionOf(state, id),
          body: signatures.get(id) as Uint8Array,
        })),
      ),
    replies: new Map(),
  };
}

/** Takes an unmask answer: one share for every neighbour in U2, or it is refused. */
export function addUnmaskReply(state: Unmasking, from: ClientId, bytes: Uint8Array): Unmasking | Refused {
  if (!state.asked.includes(from)) return refuse('not-a-member', `${from} is not asked to unmask`);
  if (state.replies.has(from)) return refuse('already-answered', `${from} answered before`);
  try {
    const records = decodeRecords(bytes, UNMASK_RECORD_BYTES, state.members.length);
    const sharers = new Set(state.sharers);
    const wanted = neighboursOf(state, from).filter((id) => sharers.has(id));
    const given = new Set(records.map(({ index }) => state.members[index]));
    const missing = wanted.filter((id) => !given.has(id)).length;
    if (missing > 0) return refuse('share-missing', `${missing} shares are missing`);
    if (records.length !== wanted.length)
      return refuse('malformed', `${records.length} shares; ${wanted.length} are asked for`);
    return { ...state, replies: new Map(state.replies).set(from, records) };
  } catch (error) {
    return refusalOf(error);
  }
}
