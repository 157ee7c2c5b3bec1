import { graphRules, type Reply } from '@tutti/protocol';
import {
  addBundle,
  closeKeys,
  collectKeys,
  isRefused,
  type Advertising,
  type ClientId,
} from '@tutti/secure-aggregation';
import { begin, enter } from './attempt-exchange.ts';
import type { Step, Training } from './attempt-state.ts';
import { growingMap } from './growing-map.ts';
import {
  ACCEPTED,
  refused,
  splitIntoGroups,
  type ClientEvent,
  type DrawInt,
  type PlainGroup,
} from './groups.ts';

/** The first phase of an attempt: those who were selected train, and show their keys when they are done. */

/** What an event does while clients train. */
export function duringTraining(attempt: Training, event: ClientEvent, draw: DrawInt): Step {
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
  return full || nobodyLeft ? closeTraining(attempt, draw) : { attempt, effects: [] };
}

/** Closes the cohort of those that are ready; where they are too few, the attempt ends. */
export function closeTraining(attempt: Training, draw: DrawInt): Omit<Step, 'reply'> {
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
    counted: growingMap(),
  }));
  const afterMs = attempt.description.deadlinesMs.maskedInput;
  return {
    attempt: { ...attempt, phase: 'masked-input', groups, groupOf },
    effects: [...groups.flatMap(begin), { type: 'timer', phase: 'masked-input', afterMs }],
  };
}
