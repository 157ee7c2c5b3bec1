import type { Reply, RoundDescription } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import type { Effect, Exchanging, Failed, Step } from './attempt-state.ts';
import { questionTo } from './attempt-view.ts';
import {
  ACCEPTED,
  closeGroup,
  isComplete,
  missing,
  refused,
  updateGroup,
  type ClientEvent,
  type ExchangePhase,
  type Group,
} from './groups.ts';

/** The phases of an attempt in which groups exchange: keys, inputs, and what unmasks their sums. */

/** What an event does while groups exchange. */
export function duringExchange(attempt: Exchanging, event: ClientEvent): Step {
  const at = attempt.groupOf.get(event.client);
  const stay = (reply: Reply): Step => ({ attempt, effects: [], reply });
  if (at === undefined) return stay(refused('too-late', 'the cohort was closed without this client'));
  const group = attempt.groups[at] as Group;
  const result = updateGroup(group, event);
  if ('reply' in result) return stay(result.reply);
  const groups = attempt.groups.map((other, index) => (index === at ? result.group : other));
  const next: Exchanging = { ...attempt, groups };
  const closed = groups.every((one) => isComplete(one, attempt.phase))
    ? closeExchange(next)
    : { attempt: next, effects: [] };
  return { ...closed, reply: ACCEPTED };
}

/** Begins the earliest phase that a group is in: its messages go out, its deadline runs. Fails where no group is left. */
export function enter(attempt: Exchanging, before: readonly Group[] = []): Omit<Step, 'reply'> {
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
export function begin(group: Group, index: number): readonly Effect[] {
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

/** Ends a phase of the exchange with whoever answered, and begins the next. */
export function closeExchange(attempt: Exchanging): Omit<Step, 'reply'> {
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
