import { assertNever } from '@tutti/base';
import type { ClientId } from '@tutti/secure-aggregation';
import type { Attempt, Outgoing } from './attempt-state.ts';
import { askedOf, awaitedOf, missing, type Group } from './groups.ts';
import type { Counted } from './release.ts';

/** What an attempt asks of whom, and how far it has come. Nothing here changes it. */

/** What a member that lost its connection is sent again: its phase's message, if it has not answered it. */
export function pendingMessage(attempt: Attempt, client: ClientId): Outgoing | 'describe' | undefined {
  if (!attempt.selected.has(client)) return undefined;
  if (attempt.phase === 'train')
    return attempt.ready.has(client) || attempt.declined.has(client) ? undefined : 'describe';
  if (attempt.phase === 'sum' || attempt.phase === 'failed') return undefined;
  const index = attempt.groupOf.get(client);
  const group = index === undefined ? undefined : attempt.groups[index];
  if (index === undefined || group === undefined) return { type: 'not-included' };
  return questionTo(group, index, client);
}

/**
 * The group that a client is asked for an input of; `none` where it is asked for something else, undefined where it is asked for nothing. Every
 * frame asks, and {@link pendingMessage} would write the whole question each time.
 */
export function inputGroupOf(attempt: Attempt, client: ClientId): number | 'none' | undefined {
  if (attempt.phase !== 'masked-input') return undefined;
  const index = attempt.selected.has(client) ? attempt.groupOf.get(client) : undefined;
  const group = index === undefined ? undefined : attempt.groups[index];
  if (group?.phase === 'masked-input' && group.sharers.includes(client) && !group.counted.has(client))
    return index;
  const pending = pendingMessage(attempt, client);
  if (pending === undefined) return undefined;
  return pending === 'describe' || pending.type !== 'relay-shares' ? 'none' : pending.group;
}

/** What a group's phase asks a member, unless it answered. */
export function questionTo(group: Group, index: number, client: ClientId): Outgoing | undefined {
  const ask = (isAsked: boolean, hasAnswered: boolean, question: () => Outgoing): Outgoing | undefined => {
    if (!isAsked) return { type: 'not-included' };
    return hasAnswered ? undefined : question();
  };
  switch (group.phase) {
    case 'reveal-nonces':
      return ask(true, group.nonces.has(client), () => rosterOf(group, index));
    case 'share-keys':
      return ask(group.asked.includes(client), group.shares.has(client), () =>
        group.nonces === undefined
          ? rosterOf(group, index)
          : { type: 'nonces', group: index, nonces: group.nonces },
      );
    case 'masked-input':
      return ask(group.sharers.includes(client), group.counted.has(client), () => ({
        type: 'relay-shares',
        group: index,
        shares: group.relay(client),
      }));
    case 'survivors':
      return ask(group.survivorIds.includes(client), group.signatures.has(client), () => ({
        type: 'survivors',
        group: index,
        survivors: group.survivors,
      }));
    case 'unmask':
      return ask(
        group.survivorIds.includes(client),
        !group.asked.includes(client) || group.replies.has(client),
        () =>
          group.signatures === undefined
            ? { type: 'survivors', group: index, survivors: group.survivors }
            : { type: 'survivor-signatures', group: index, signatures: group.signatures(client) },
      );
    case 'plain-input':
      return ask(true, group.counted.has(client), () => ({
        type: 'relay-shares',
        group: index,
        shares: new Uint8Array(0),
      }));
    case 'plain-done':
    case 'aborted':
      return undefined;
    default:
      return assertNever(group);
  }
}

const rosterOf = ({ roster }: { readonly roster: Uint8Array }, group: number): Outgoing => ({
  type: 'roster',
  group,
  bundles: roster,
});

/** Clients whose inputs are in the sums. */
export function survivorsOf(attempt: Attempt): ClientId[] {
  if (attempt.phase === 'train' || attempt.phase === 'failed') return [];
  return attempt.groups.flatMap((group) => {
    if (group.phase === 'unmask' || group.phase === 'survivors') return [...group.survivorIds];
    return group.phase === 'plain-done' || group.phase === 'plain-input' || group.phase === 'masked-input'
      ? [...group.counted.keys()]
      : [];
  });
}

/**
 * Whom the groups hold whose masks can be removed with the shares that came; undefined where there is no such group.
 * @param answers fewest answers of a group: its threshold when left out, below which nothing can be rebuilt.
 */
export function unmaskable(attempt: Attempt, answers?: number): Counted | undefined {
  if (!('groups' in attempt)) return undefined;
  const sizes = attempt.groups.flatMap((group) =>
    group.phase === 'unmask' && group.replies.size >= (answers ?? group.shape.threshold)
      ? [group.survivorIds.length]
      : [],
  );
  if (sizes.length === 0) return undefined;
  const survivors = sizes.reduce((sum, size) => sum + size, 0);
  return { survivors, groups: sizes.length, fewestInGroup: Math.min(...sizes) };
}

/** Clients whose answers the current phase waits for. */
export function awaitedIn(attempt: Attempt): readonly ClientId[] {
  if (attempt.phase === 'sum' || attempt.phase === 'failed') return [];
  const { phase } = attempt;
  if (phase !== 'train') return attempt.groups.flatMap((group) => awaitedOf(group, phase));
  const { selected, ready, declined } = attempt;
  return [...selected].filter((client) => !ready.has(client) && !declined.has(client));
}

/** How far the current phase has come: who answered, of how many. */
export function progressOf(attempt: Attempt): { done: number; total: number } {
  if (attempt.phase === 'train')
    return {
      done: attempt.ready.size,
      total: Math.min(attempt.selected.size, attempt.description.cohort.planned),
    };
  if (attempt.phase === 'sum' || attempt.phase === 'failed') return { done: 1, total: 1 };
  const sizes = attempt.groups.map(askedOf);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return { done: total - attempt.groups.reduce((sum, group) => sum + missing(group), 0), total };
}
