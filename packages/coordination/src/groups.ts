import { assertNever } from '@tutti/base';
import type { DeclineReason, Reply } from '@tutti/protocol';
import {
  addShares,
  addUnmaskReply,
  closeInputs,
  countInput,
  isRefused,
  type Aborted,
  type ClientId,
  type Collecting,
  type Refused,
  type Sharing,
  type Unmasking,
} from '@tutti/secure-aggregation';

/** A group of an attempt without masks: the same integers, counted the same way. */
export interface PlainGroup {
  readonly phase: 'plain-input' | 'plain-done';
  readonly members: readonly ClientId[];
  readonly counted: ReadonlySet<ClientId>;
}

/** A group that masks (or, plain, adds) its inputs together. */
export type Group = Sharing | Collecting | Unmasking | Aborted | PlainGroup;

/** What a client does, as an event. */
export type ClientEvent =
  | { readonly type: 'ready'; readonly client: ClientId; readonly bundle: Uint8Array }
  | { readonly type: 'declined'; readonly client: ClientId; readonly reason: DeclineReason }
  | { readonly type: 'shares'; readonly client: ClientId; readonly shares: Uint8Array }
  | { readonly type: 'input-counted'; readonly client: ClientId }
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
  switch (group.phase) {
    case 'share-keys':
      return event.type === 'shares'
        ? took(addShares(group, client, event.shares))
        : event.type === 'ready'
          ? { reply: ACCEPTED }
          : wrong;
    case 'masked-input':
      if (event.type === 'input-counted') return took(countInput(group, client));
      return event.type === 'shares' && group.sharers.includes(client) ? { reply: ACCEPTED } : wrong;
    case 'unmask':
      if (event.type === 'unmask') return took(addUnmaskReply(group, client, event.shares));
      return event.type === 'input-counted'
        ? { reply: group.survivorIds.includes(client) ? ACCEPTED : refused('too-late', 'inputs are closed') }
        : wrong;
    case 'plain-input':
      if (event.type !== 'input-counted') return event.type === 'ready' ? { reply: ACCEPTED } : wrong;
      return { group: { ...group, counted: new Set(group.counted).add(client) } };
    case 'plain-done':
      return { reply: refused('too-late', 'inputs are closed') };
    case 'aborted':
      return { reply: refused('too-late', `this group ended: ${group.reason}`) };
    default:
      return assertNever(group);
  }
}

/** Whether nothing more can come in this phase. */
export function isComplete(group: Group): boolean {
  switch (group.phase) {
    case 'share-keys':
      return group.shares.size === group.members.length;
    case 'masked-input':
      return group.counted.size === group.sharers.length;
    case 'unmask':
      return group.replies.size === group.survivorIds.length;
    case 'plain-input':
      return group.counted.size === group.members.length;
    case 'plain-done':
    case 'aborted':
      return true;
    default:
      return assertNever(group);
  }
}

/** Ends the inputs of a group with whoever was counted. */
export function closeGroupInputs(group: Group): Group {
  if (group.phase === 'masked-input') return closeInputs(group);
  if (group.phase === 'plain-input')
    return group.counted.size === 0
      ? { phase: 'aborted', reason: 'too-few-survivors' }
      : { ...group, phase: 'plain-done' };
  return group;
}

/** Members of a group who did not answer in this phase. */
export function missing(group: Group): number {
  switch (group.phase) {
    case 'share-keys':
      return group.members.length - group.shares.size;
    case 'masked-input':
      return group.sharers.length - group.counted.size;
    case 'unmask':
      return group.survivorIds.length - group.replies.size;
    case 'plain-input':
      return group.members.length - group.counted.size;
    case 'plain-done':
    case 'aborted':
      return 0;
    default:
      return assertNever(group);
  }
}

/** Members of a group that this phase asks. */
export function askedOf(group: Group): number {
  switch (group.phase) {
    case 'share-keys':
    case 'plain-input':
    case 'plain-done':
      return group.members.length;
    case 'masked-input':
      return group.sharers.length;
    case 'unmask':
      return group.survivorIds.length;
    case 'aborted':
      return 0;
    default:
      return assertNever(group);
  }
}
