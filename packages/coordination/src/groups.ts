import { assertNever } from '@tutti/base';
import type { DeclineReason, Reply } from '@tutti/protocol';
import {
  addNonce,
  addShares,
  addSignature,
  addUnmaskReply,
  closeInputs,
  closeNonces,
  closeShares,
  closeSignatures,
  countInput,
  isRefused,
  type Aborted,
  type ClientId,
  type Collecting,
  type Refused,
  type Revealing,
  type Sharing,
  type Signing,
  type Unmasking,
} from '@tutti/secure-aggregation';
import type { GrowingMap } from './growing-map.ts';

/** A group of an attempt without masks: the same integers, counted the same way. */
export interface PlainGroup {
  readonly phase: 'plain-input' | 'plain-done';
  readonly members: readonly ClientId[];
  readonly counted: GrowingMap<ClientId, true>;
}

/** A group that masks (or, plain, adds) its inputs together. */
export type Group = Revealing | Sharing | Collecting | Signing | Unmasking | Aborted | PlainGroup;

/** The phases in which groups exchange, in order; some groups skip the first and the fourth. */
export type ExchangePhase = 'reveal-nonces' | 'share-keys' | 'masked-input' | 'survivors' | 'unmask';

/** What a client does, as an event. */
export type ClientEvent =
  | { readonly type: 'ready'; readonly client: ClientId; readonly bundle: Uint8Array }
  | { readonly type: 'declined'; readonly client: ClientId; readonly reason: DeclineReason }
  | { readonly type: 'nonce'; readonly client: ClientId; readonly nonce: Uint8Array }
  | { readonly type: 'shares'; readonly client: ClientId; readonly shares: Uint8Array }
  | { readonly type: 'input-counted'; readonly client: ClientId }
  | { readonly type: 'signature'; readonly client: ClientId; readonly signature: Uint8Array }
  | { readonly type: 'unmask'; readonly client: ClientId; readonly shares: Uint8Array };

/** How a shuffle is drawn: an integer in [0, bound). */
export type DrawInt = (bound: number) => number;

/** It counts. */
export const ACCEPTED: Reply = { type: 'accepted' };

/** A refusal with its name. */
export const refused = (
  reason: Extract<Reply, { type: 'refused' }>['reason'],
  problem: string,
  field = 'attempt',
): Reply => ({
  type: 'refused',
  reason,
  field,
  problem,
});

/** Groups of nearly equal size, each at most `largest`, members drawn by a shuffle of the sorted ids. */
export function splitIntoGroups(ids: readonly ClientId[], largest: number, draw: DrawInt): ClientId[][] {
  const shuffled = [...ids];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = draw(i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j] as ClientId, shuffled[i] as ClientId];
  }
  const count = Math.max(1, Math.ceil(shuffled.length / largest));
  const groups: ClientId[][] = Array.from({ length: count }, () => []);
  shuffled.forEach((id, index) => groups[index % count]?.push(id));
  return groups.map((members) => members.sort());
}

/** What an event does to its group, or what is answered where it changes nothing. */
export function updateGroup(group: Group, event: ClientEvent): { group: Group } | { reply: Reply } {
  const { client } = event;
  const wrong = { reply: refused('wrong-phase', `${event.type} in phase ${group.phase}`) };
  const took = (answer: Group | Refused): { group: Group } | { reply: Reply } => {
    if (!isRefused(answer)) return { group: answer };
    return {
      reply: answer.refused === 'already-answered' ? ACCEPTED : refused(answer.refused, answer.detail),
    };
  };
  const repeated = { reply: ACCEPTED };
  switch (group.phase) {
    case 'reveal-nonces':
      if (event.type === 'nonce') return took(addNonce(group, client, event.nonce));
      return event.type === 'ready' ? repeated : wrong;
    case 'share-keys':
      if (event.type === 'shares') return took(addShares(group, client, event.shares));
      return event.type === 'ready' || (event.type === 'nonce' && group.nonces !== undefined)
        ? repeated
        : wrong;
    case 'masked-input':
      if (event.type === 'input-counted') return took(countInput(group, client));
      return event.type === 'shares' && group.sharers.includes(client) ? repeated : wrong;
    case 'survivors':
      if (event.type === 'signature') return took(addSignature(group, client, event.signature));
      return event.type === 'input-counted' ? lateInput(group, client) : wrong;
    case 'unmask':
      if (event.type === 'unmask') return took(addUnmaskReply(group, client, event.shares));
      if (event.type === 'signature') return group.asked.includes(client) ? repeated : wrong;
      return event.type === 'input-counted' ? lateInput(group, client) : wrong;
    case 'plain-input':
      if (event.type !== 'input-counted') return event.type === 'ready' ? { reply: ACCEPTED } : wrong;
      if (group.counted.has(client)) return { group };
      return { group: { ...group, counted: group.counted.with(client, true) } };
    case 'plain-done':
      return { reply: refused('too-late', 'inputs are closed') };
    case 'aborted':
      return { reply: refused('too-late', `this group ended: ${group.reason}`) };
    default:
      return assertNever(group);
  }
}

/** An input after inputs were closed: it is in the sum already, or comes too late. */
function lateInput({ survivorIds }: Signing | Unmasking, client: ClientId): { reply: Reply } {
  return { reply: survivorIds.includes(client) ? ACCEPTED : refused('too-late', 'inputs are closed') };
}

/** Who is asked in a group's phase, and who of them answered. */
interface Answers {
  readonly asked: readonly ClientId[];
  readonly answered: { readonly size: number; has(client: ClientId): boolean };
}

const NOBODY: Answers = { asked: [], answered: new Set() };

function answersOf(group: Group): Answers {
  switch (group.phase) {
    case 'reveal-nonces':
      return { asked: group.members, answered: group.nonces };
    case 'share-keys':
      return { asked: group.asked, answered: group.shares };
    case 'masked-input':
      return { asked: group.sharers, answered: group.counted };
    case 'survivors':
      return { asked: group.survivorIds, answered: group.signatures };
    case 'unmask':
      return { asked: group.asked, answered: group.replies };
    case 'plain-input':
      return { asked: group.members, answered: group.counted };
    case 'plain-done':
      return { asked: group.members, answered: new Set(group.members) };
    case 'aborted':
      return NOBODY;
    default:
      return assertNever(group);
  }
}

/** Whether a group has nothing left to wait for in `phase`: everybody answered, or it is in another phase. */
export function isComplete(group: Group, phase: ExchangePhase): boolean {
  const { asked, answered } = answersOf(group);
  return !isIn(group, phase) || answered.size === asked.length;
}

/** Whether a group exchanges in this phase of the attempt. */
function isIn(group: Group, phase: ExchangePhase): boolean {
  return group.phase === phase || (group.phase === 'plain-input' && phase === 'masked-input');
}

/**
 * Ends a group's phase with whoever answered; a group in another phase stays as it is.
 * @param fewest inputs that a sum is over: the noise of fewer would not be enough, so a group with fewer ends.
 */
export function closeGroup(group: Group, phase: ExchangePhase, fewest: number): Group {
  if (!isIn(group, phase)) return group;
  if (phase === 'masked-input' && 'counted' in group && group.counted.size < fewest)
    return { phase: 'aborted', reason: 'too-few-survivors' };
  switch (group.phase) {
    case 'reveal-nonces':
      return closeNonces(group);
    case 'share-keys':
      return closeShares(group);
    case 'masked-input':
      return closeInputs(group);
    case 'survivors':
      return closeSignatures(group);
    case 'plain-input':
      return group.counted.size === 0
        ? { phase: 'aborted', reason: 'too-few-survivors' }
        : { ...group, phase: 'plain-done' };
    case 'unmask':
    case 'plain-done':
    case 'aborted':
      return group;
    default:
      return assertNever(group);
  }
}

/** Members of a group who did not answer in this phase. */
export function missing(group: Group): number {
  const { asked, answered } = answersOf(group);
  return asked.length - answered.size;
}

/** Members of a group that this phase asks. */
export function askedOf(group: Group): number {
  return answersOf(group).asked.length;
}

/** Members of a group that are asked in this phase of the attempt and did not answer. */
export function awaitedOf(group: Group, phase: ExchangePhase): ClientId[] {
  if (!isIn(group, phase)) return [];
  const { asked, answered } = answersOf(group);
  return asked.filter((client) => !answered.has(client));
}
