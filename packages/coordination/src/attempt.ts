import { assertNever } from '@tutti/base';
import type { Reply, RoundDescription } from '@tutti/protocol';
import type { ClientId, CryptoSuite, RoundDigest } from '@tutti/secure-aggregation';
import { closeExchange, duringExchange } from './attempt-exchange.ts';
import type { Attempt, AttemptEvent, Effect, Step, Training } from './attempt-state.ts';
import { closeTraining, duringTraining } from './attempt-training.ts';
import { ACCEPTED, refused, type DrawInt } from './groups.ts';
import { growingMap } from './growing-map.ts';
import type { MemberCheck } from './identity.ts';
import { DROP_PHASES, type DropPhase } from './journal.ts';

/** One attempt at a round, from selection to the sum: (state, event) → { state, effects, reply }. No input or output. */

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
      return duringExchange(attempt, event);
    case 'sum':
    case 'failed':
      return stay(refused('too-late', `the attempt is over (${attempt.phase})`));
    default:
      return assertNever(attempt);
  }
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
