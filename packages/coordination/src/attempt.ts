import { assertNever } from '@tutti/base';
import {
  graphRules,
  type DeclineReason,
  type Reply,
  type RoundAbortReason,
  type RoundDescription,
} from '@tutti/protocol';
import {
  addBundle,
  closeKeys,
  collectKeys,
  isRefused,
  type Advertising,
  type ClientId,
  type CryptoSuite,
  type RoundDigest,
} from '@tutti/secure-aggregation';
import {
  ACCEPTED,
  askedOf,
  awaitedOf,
  closeGroup,
  isComplete,
  missing,
  refused,
  splitIntoGroups,
  updateGroup,
  type ClientEvent,
  type DrawInt,
  type ExchangePhase,
  type Group,
  type PlainGroup,
} from './groups.ts';
import { growingMap, type GrowingMap } from './growing-map.ts';
import type { MemberCheck } from './identity.ts';
import { DROP_PHASES, type DropPhase } from './journal.ts';
import type { Counted } from './release.ts';

/** One attempt at a round, from selection to the sum: (state, event) → { state, effects, reply }. No input or output. */

/** What an attempt knows from its beginning. */
interface Common {
  readonly description: RoundDescription;
  readonly digest: RoundDigest;
  readonly crypto: CryptoSuite;
  /** What a client that shows its keys is checked for beyond them. */
  readonly checkMember: MemberCheck;
  readonly selected: ReadonlySet<ClientId>;
  readonly declined: ReadonlyMap<ClientId, DeclineReason>;
  readonly drops: Readonly<Record<DropPhase, number>>;
}

/** Selected clients train; each that is done shows its keys. */
export interface Training extends Common {
  readonly phase: 'train';
  readonly ready: GrowingMap<ClientId, Uint8Array>;
}

/** The cohort is closed and its groups exchange. */
export interface Exchanging extends Common {
  readonly phase: ExchangePhase;
  readonly groups: readonly Group[];
  readonly groupOf: ReadonlyMap<ClientId, number>;
}

/** Every group that can be summed is ready for it. */
export interface Summing extends Common {
  readonly phase: 'sum';
  readonly groups: readonly Group[];
  readonly groupOf: ReadonlyMap<ClientId, number>;
}

/** It ended without a result. */
export interface Failed extends Common {
  readonly phase: 'failed';
  readonly reason: RoundAbortReason;
  readonly groupOf: ReadonlyMap<ClientId, number>;
}

export type Attempt = Training | Exchanging | Summing | Failed;

/** What can happen to an attempt. */
export type AttemptEvent = ClientEvent | { readonly type: 'deadline'; readonly phase: Attempt['phase'] };

/** A message to a client, before it is signed. */
export type Outgoing =
  | { readonly type: 'roster'; readonly group: number; readonly bundles: Uint8Array }
  | { readonly type: 'nonces'; readonly group: number; readonly nonces: Uint8Array }
  | { readonly type: 'relay-shares'; readonly group: number; readonly shares: Uint8Array }
  | { readonly type: 'survivors'; readonly group: number; readonly survivors: Uint8Array }
  | { readonly type: 'survivor-signatures'; readonly group: number; readonly signatures: Uint8Array }
  | { readonly type: 'not-included' };

/** What an attempt asks its surroundings to do. */
export type Effect =
  | { readonly type: 'send'; readonly client: ClientId; readonly message: Outgoing }
  | { readonly type: 'open-sum'; readonly group: number }
  | { readonly type: 'timer'; readonly phase: Attempt['phase']; readonly afterMs: number };

/** The next state, what to do, and what to answer who asked. */
export interface Step {
  readonly attempt: Attempt;
  readonly effects: readonly Effect[];
  readonly reply: Reply;
}

/** Begins an attempt: `selected` have been asked to train. */
export function openAttempt(options: {
  description: RoundDescription;
  digest: RoundDigest;
  crypto: CryptoSuite;
  checkMember: MemberCheck;
  selected: ReadonlySet<ClientId>;
}): { attempt: Training; effects: readonly Effect[] } {
  const drops = Object.fromEntries(DROP_PHASES.map((phase) => [phase, 0])) as Record<DropPhase, number>;
  return {
    attempt: { ...options, phase: 'train', declined: new Map(), drops, ready: growingMap() },
    effects: [{ type: 'timer', phase: 'train', afterMs: options.description.deadlinesMs.train }],
  };
}

/** What an event does to an attempt. Late, repeated and misplaced messages change nothing and are told so. */
export function stepAttempt(attempt: Attempt, event: AttemptEvent, draw: DrawInt): Step {
  const stay = (reply: Reply): Step => ({ attempt, effects: [], reply });
  if (event.type === 'deadline') {
    return event.phase === attempt.phase ? { ...closePhase(attempt, draw), reply: ACCEPTED } : stay(ACCEPTED);
  }
  if (!attempt.selected.has(event.client))
    return stay(refused('not-in-cohort', 'this client was not selected'));
  switch (attempt.phase) {
    case 'train':
      return duringTraining(attempt, event, draw);
    case 'reveal-nonces':
    case 'share-keys':
    case 'masked-input':
    case 'survivors':
    case 'unmask':
      return duringExchange(attempt, event, draw);
    case 'sum':
    case 'failed':
      return stay(refused('too-late', `the attempt is over (${attempt.phase})`));
    default:
      return assertNever(attempt);
  }
}

function duringTraining(attempt: Training, event: ClientEvent, draw: DrawInt): Step {
  const { client } = event;
  const stay = (reply: Reply): Step => ({ attempt, effects: [], reply });
  if (event.type === 'declined') {
    // Both at once would count twice, and close the phase before somebody else is done.
    if (attempt.ready.has(client)) return stay(refused('too-late', 'this client is ready already'));
    const next: Training = { ...attempt, declined: new Map(attempt.declined).set(client, event.reason) };
    return { ...closeIfComplete(next, draw), reply: ACCEPTED };
  }
  if (event.type !== 'ready') return stay(refused('wrong-phase', `${event.type} while clients train`));
  if (attempt.ready.has(client)) return stay(ACCEPTED);
  if (attempt.declined.has(client)) return stay(refused('too-late', 'this client declined'));
  if (attempt.description.protection === 'secure') {
    const problem = bundleProblem(attempt, client, event.bundle);
    if (problem !== undefined) return stay(problem);
  }
  const next: Training = { ...attempt, ready: attempt.ready.with(client, event.bundle) };
  return { ...closeIfComplete(next, draw), reply: ACCEPTED };
}

/** Why a bundle is not taken; nothing where it is. */
function bundleProblem(attempt: Training, client: ClientId, bundle: Uint8Array): Reply | undefined {
  const checked = addBundle(advertising(attempt, 1), bundle);
  if (isRefused(checked)) return refused(checked.refused, checked.detail, 'bundle');
  const member = checked.bundles.get(client);
  if (member === undefined) return refused('bad-signature', 'the bundle is not of this client', 'bundle');
  const problem = attempt.checkMember(member);
  return problem === undefined ? undefined : refused(problem.reason, problem.detail, 'bundle');
}

function advertising(attempt: Training, largest: number): Advertising {
  const { crypto, digest, description } = attempt;
  return collectKeys({
    crypto,
    roundDigest: digest,
    rules: graphRules(description),
    largest,
    smallest: 2,
  });
}

/** Training ends early when the cohort is full, or nobody is left to wait for. */
function closeIfComplete(attempt: Training, draw: DrawInt): Omit<Step, 'reply'> {
  const full = attempt.ready.size >= attempt.description.cohort.planned;
  const nobodyLeft = attempt.ready.size + attempt.declined.size >= attempt.selected.size;
  return full || nobodyLeft ? closePhase(attempt, draw) : { attempt, effects: [] };
}

function duringExchange(attempt: Exchanging, event: ClientEvent, draw: DrawInt): Step {
  const at = attempt.groupOf.get(event.client);
  const stay = (reply: Reply): Step => ({ attempt, effects: [], reply });
  if (at === undefined) return stay(refused('too-late', 'the cohort was closed without this client'));
  const group = attempt.groups[at] as Group;
  const result = updateGroup(group, event);
  if ('reply' in result) return stay(result.reply);
  const groups = attempt.groups.map((other, index) => (index === at ? result.group : other));
  const next: Exchanging = { ...attempt, groups };
  const closed = groups.every((one) => isComplete(one, attempt.phase))
    ? closePhase(next, draw)
    : { attempt: next, effects: [] };
  return { ...closed, reply: ACCEPTED };
}

/** Ends the current phase with whoever answered, and begins the next. */
function closePhase(attempt: Attempt, draw: DrawInt): Omit<Step, 'reply'> {
  switch (attempt.phase) {
    case 'train':
      return closeTraining(attempt, draw);
    case 'reveal-nonces':
    case 'share-keys':
    case 'masked-input':
    case 'survivors':
    case 'unmask':
      return closeExchange(attempt);
    case 'sum':
    case 'failed':
      return { attempt, effects: [] };
    default:
      return assertNever(attempt);
  }
}

function closeTraining(attempt: Training, draw: DrawInt): Omit<Step, 'reply'> {
  const { ready, selected, declined, description } = attempt;
  const drops = { ...attempt.drops, train: selected.size - ready.size - declined.size };
  if (ready.size < description.cohort.smallest) {
    return {
      attempt: { ...attempt, drops, phase: 'failed', reason: 'too-few-ready', groupOf: new Map() },
      effects: [],
    };
  }
  const memberships = splitIntoGroups([...ready.keys()].sort(), description.cohort.largestGroup, draw);
  const groupOf = new Map(memberships.flatMap((members, index) => members.map((id) => [id, index] as const)));
  if (description.protection === 'plain') return beginPlain({ ...attempt, drops }, memberships, groupOf);
  const groups = memberships.map((members) => closeKeys(withBundles(attempt, members)));
  return enter({ ...attempt, drops, phase: 'share-keys', groups, groupOf });
}

/** Begins the earliest phase that a group is in: its messages go out, its deadline runs. Fails where no group is left. */
function enter(attempt: Exchanging, before: readonly Group[] = []): Omit<Step, 'reply'> {
  const failed = failure(attempt);
  if (failed !== undefined) return { attempt: failed, effects: [] };
  const phase = PHASES.find((one) => attempt.groups.some((group) => group.phase === one));
  if (phase === undefined) return finish(attempt);
  const effects = attempt.groups.flatMap((group, index) =>
    group === before[index] ? [] : begin(group, index),
  );
  const afterMs = attempt.description.deadlinesMs[DEADLINES[phase]];
  return { attempt: { ...attempt, phase }, effects: [...effects, { type: 'timer', phase, afterMs }] };
}

/** In order. */
const PHASES = ['reveal-nonces', 'share-keys', 'masked-input', 'survivors', 'unmask'] as const;

const DEADLINES = {
  'reveal-nonces': 'revealNonces',
  'share-keys': 'shareKeys',
  'masked-input': 'maskedInput',
  survivors: 'survivors',
  unmask: 'unmask',
} as const satisfies Record<ExchangePhase, keyof RoundDescription['deadlinesMs']>;

/** What a group that enters a phase asks its surroundings for. */
function begin(group: Group, index: number): readonly Effect[] {
  const opened: readonly Effect[] =
    group.phase === 'masked-input' || group.phase === 'plain-input'
      ? [{ type: 'open-sum', group: index }]
      : [];
  // Who is out hears so at the end, like everybody.
  const sent = membersOf(group).flatMap((client): Effect[] => {
    const message = questionTo(group, index, client);
    return message === undefined || message.type === 'not-included'
      ? []
      : [{ type: 'send', client, message }];
  });
  return [...opened, ...sent];
}

/** Who is told something when a group enters its phase. */
function membersOf(group: Group): readonly ClientId[] {
  return 'members' in group ? group.members : [];
}

function withBundles(attempt: Training, members: readonly ClientId[]): Advertising {
  return members.reduce(
    (state, id) => {
      const next = addBundle(state, attempt.ready.get(id) as Uint8Array);
      return isRefused(next) ? state : next;
    },
    advertising(attempt, members.length),
  );
}

function beginPlain(
  attempt: Training,
  memberships: readonly (readonly ClientId[])[],
  groupOf: ReadonlyMap<ClientId, number>,
): Omit<Step, 'reply'> {
  const groups = memberships.map((members): PlainGroup => ({
    phase: 'plain-input',
    members,
    counted: new Set(),
  }));
  const afterMs = attempt.description.deadlinesMs.maskedInput;
  return {
    attempt: { ...attempt, phase: 'masked-input', groups, groupOf },
    effects: [...groups.flatMap(begin), { type: 'timer', phase: 'masked-input', afterMs }],
  };
}

function closeExchange(attempt: Exchanging): Omit<Step, 'reply'> {
  const { phase } = attempt;
  const lost = attempt.groups.reduce(
    (sum, group) => sum + (isComplete(group, phase) ? 0 : missing(group)),
    0,
  );
  const drops = { ...attempt.drops, [phase]: attempt.drops[phase] + lost };
  if (phase === 'unmask') return finish({ ...attempt, drops });
  const { noise } = attempt.description;
  const fewest = noise.mechanism === 'skellam' ? noise.survivors : 0;
  const groups = attempt.groups.map((group) => closeGroup(group, phase, fewest));
  return enter({ ...attempt, drops, groups }, attempt.groups);
}

function finish(attempt: Exchanging): Omit<Step, 'reply'> {
  const failed = failure(attempt);
  return { attempt: failed ?? { ...attempt, phase: 'sum' }, effects: [] };
}

function failure(attempt: Exchanging): Failed | undefined {
  const first = attempt.groups[0];
  if (first === undefined || attempt.groups.some((group) => group.phase !== 'aborted')) return undefined;
  return { ...attempt, phase: 'failed', reason: first.phase === 'aborted' ? first.reason : 'internal-error' };
}

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
function questionTo(group: Group, index: number, client: ClientId): Outgoing | undefined {
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
      ? [...group.counted]
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
