import type { Attempt } from './attempt-state.ts';
import type { Summed } from './commit.ts';
import { DROP_PHASES, type Funnel } from './journal.ts';
import type { Traffic } from './ports.ts';

/** When an attempt ran, what crossed the wire meanwhile, and what came of it. */
export interface AttemptFacts {
  readonly openedAtMs: number;
  readonly nowMs: number;
  readonly before: Traffic;
  readonly after: Traffic;
  readonly summed: Summed | undefined;
}

/** Who took part in an attempt, and how far they came. */
export function funnelOf(
  attempt: Attempt,
  { openedAtMs, nowMs, before, after, summed }: AttemptFacts,
): Funnel {
  const declined: Record<string, number> = {};
  for (const reason of attempt.declined.values()) declined[reason] = (declined[reason] ?? 0) + 1;
  return {
    round: attempt.description.round,
    attempt: attempt.description.attempt,
    identity: attempt.description.identity.level,
    endedAtMs: nowMs,
    durationMs: Math.max(0, nowMs - openedAtMs),
    selected: attempt.selected.size,
    ready: attempt.phase === 'train' ? attempt.ready.size : attempt.groupOf.size,
    cohort: attempt.phase === 'train' ? 0 : attempt.groupOf.size,
    reported: summed?.survivors ?? 0,
    groups: summed?.groups ?? 0,
    dropped: DROP_PHASES.flatMap((phase) =>
      attempt.drops[phase] > 0 ? [{ phase, count: attempt.drops[phase] }] : [],
    ),
    declined,
    upBytes: after.upBytes - before.upBytes,
    downBytes: after.downBytes - before.downBytes,
  };
}
