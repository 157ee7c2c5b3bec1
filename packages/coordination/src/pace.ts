/** Pace steering: when a client that is not needed now should come again, so that a population neither floods nor starves. */
export interface PaceFacts {
  /** Clients that wait, this one included. */
  readonly waiting: number;
  /** Clients that a round asks. */
  readonly needed: number;
  /** Observed duration of a round. */
  readonly roundMs: number;
}

/** Clients kept waiting on their connections, as a multiple of what a round needs. */
const WAITING_ROOM = 16;

/** Fewest clients that may wait, so that small populations never are sent away. */
const LEAST_WAITING = 2_048;

/** A client that waits asks again after this many rounds, in case a message was lost. */
const CHECK_AGAIN_ROUNDS = 20;

const LEAST_MS = 5_000;
const MOST_MS = 3_600_000;

/** Whether a client may wait on its connection, and when it should ask again. `jitter` is in [0, 1). */
export function pace(
  facts: PaceFacts,
  jitter: number,
): { kind: 'waiting'; checkAgainMs: number } | { kind: 'later'; retryAfterMs: number } {
  const { waiting, needed, roundMs } = facts;
  const clamp = (ms: number): number => Math.round(Math.min(MOST_MS, Math.max(LEAST_MS, ms)));
  if (waiting <= Math.max(LEAST_WAITING, WAITING_ROOM * needed)) {
    return { kind: 'waiting', checkAgainMs: clamp(CHECK_AGAIN_ROUNDS * roundMs * (0.5 + jitter)) };
  }
  return { kind: 'later', retryAfterMs: clamp((waiting / Math.max(1, needed)) * roundMs * (0.5 + jitter)) };
}
