import {
  JOURNAL_VERSION,
  type AttemptEndReason,
  type Comparison,
  type EvaluationRecord,
  type JournalEntry,
  type NoiseDraw,
  type RoundRecord,
  type RunState,
} from './journal.ts';
import type { ReleaseRecord } from './release.ts';

/** What a task has come to: a fold over its journal, and nothing else. Recovery is this fold. */
export interface TaskHistory {
  readonly length: number;
  readonly created: Extract<JournalEntry, { type: 'task-created' }> | undefined;
  /** The layout and the catalogue now; undefined before the task was created. */
  readonly hashes: { readonly layoutHash: string; readonly catalogueHash: string } | undefined;
  /** Models that a change of the catalogue made, or the first weights once a census changed their numbers; and how many rounds had been made then. */
  readonly grown: readonly {
    readonly kind: 'first' | 'catalogue';
    readonly modelHash: string;
    readonly round: number;
    readonly atMs: number;
    readonly layoutHash: string;
    readonly catalogueHash: string;
  }[];
  /** Updates made. */
  readonly round: number;
  /** Number of the last attempt that was opened; never used again. */
  readonly attempt: number;
  /** Whether attempts may begin. */
  readonly run: RunState;
  /** What was put on channels and taken off them. */
  readonly promotions: readonly Extract<JournalEntry, { type: 'model-promoted' }>[];
  readonly previousDigest: string;
  readonly modelHash: string | undefined;
  readonly strategyHash: string | undefined;
  readonly sliceHash: string | undefined;
  readonly rounds: readonly RoundRecord[];
  readonly releases: readonly ReleaseRecord[];
  /** C of the next round; undefined where it does not adapt. */
  readonly clippingNorm: number | undefined;
  /** Each round's draw of correlated noise; undefined for rounds without one. */
  readonly noiseDraws: readonly (NoiseDraw | undefined)[];
  readonly evaluations: readonly EvaluationRecord[];
  /** What looks of trials came to. */
  readonly comparisons: readonly Comparison[];
  /** Mean interactions a person, as the first census found it. */
  readonly meanHistory: number | undefined;
  /** An attempt that was opened and has not ended: after a restart it ends as `coordinator-restarted`. */
  readonly open: Extract<JournalEntry, { type: 'attempt-opened' }> | undefined;
  /** What the open attempt will have released once its unmask shares are in; undefined before it asks for them. */
  readonly asked: ReleaseRecord | undefined;
}

/** A task of which nothing is known. */
export const EMPTY_HISTORY: TaskHistory = {
  length: 0,
  created: undefined,
  hashes: undefined,
  grown: [],
  round: 0,
  attempt: 0,
  run: 'running',
  promotions: [],
  previousDigest: '0'.repeat(64),
  modelHash: undefined,
  strategyHash: undefined,
  sliceHash: undefined,
  rounds: [],
  releases: [],
  clippingNorm: undefined,
  noiseDraws: [],
  evaluations: [],
  comparisons: [],
  meanHistory: undefined,
  open: undefined,
  asked: undefined,
};

/** The history with one entry more. */
export function applyEntry(history: TaskHistory, next: JournalEntry): TaskHistory {
  const grown = { ...history, length: history.length + 1 };
  switch (next.type) {
    case 'task-created':
      return { ...grown, created: next, hashes: next, modelHash: next.modelHash };
    case 'catalogue-changed':
      return {
        ...grown,
        hashes: next,
        grown: [...history.grown, grownTo(next, history.round)],
        modelHash: next.modelHash,
        strategyHash: next.strategyHash,
        sliceHash: next.sliceHash,
      };
    case 'defaults-followed':
      return { ...grown, ...followed(history, next) };
    case 'attempt-opened':
      return { ...grown, attempt: next.attempt, previousDigest: next.digest, open: next };
    case 'run-changed':
      return { ...grown, run: next.run };
    case 'model-promoted':
      return { ...grown, promotions: [...history.promotions, next] };
    case 'unmask-asked':
      return { ...grown, asked: next.asked };
    case 'attempt-aborted':
      return { ...grown, ...ended(history, next) };
    case 'evaluated':
      return {
        ...grown,
        ...ended(history, next),
        evaluations: [...history.evaluations, next.record],
        meanHistory: history.meanHistory ?? next.record.metrics.meanHistory ?? undefined,
      };
    case 'compared':
      return {
        ...grown,
        ...ended(history, next),
        comparisons: [...history.comparisons, next.record.comparison],
      };
    case 'round-committed':
      return {
        ...grown,
        ...ended(history, next),
        round: next.record.round,
        modelHash: next.record.modelHash,
        strategyHash: next.strategyHash,
        sliceHash: next.sliceHash,
        rounds: [...history.rounds, next.record],
        clippingNorm: next.nextClippingNorm,
        noiseDraws: [...history.noiseDraws, next.noiseDraw],
      };
  }
}

const grownTo = (
  { modelHash, atMs, layoutHash, catalogueHash }: Extract<JournalEntry, { type: 'catalogue-changed' }>,
  round: number,
): TaskHistory['grown'][number] => ({
  kind: 'catalogue',
  ...{ modelHash, round, atMs, layoutHash, catalogueHash },
});

/** The same weights with other numbers: devices take them for another model, and so does the registry. */
function followed(
  { hashes, modelHash = '', round, grown }: TaskHistory,
  { layoutHash, atMs }: Extract<JournalEntry, { type: 'defaults-followed' }>,
): Pick<TaskHistory, 'hashes' | 'grown'> {
  const now = { layoutHash, catalogueHash: hashes?.catalogueHash ?? '' };
  return { hashes: now, grown: [...grown, { kind: 'first', modelHash, round, atMs, ...now }] };
}

/** What the end of an attempt changes, whatever it came to. */
const ended = (
  { releases }: TaskHistory,
  { release }: { readonly release: ReleaseRecord | null },
): Pick<TaskHistory, 'open' | 'asked' | 'releases'> => ({
  open: undefined,
  asked: undefined,
  releases: release === null ? releases : [...releases, release],
});

/** The entry that closes what a crash left open; nobody knows how many unmask shares had come, so it counts as if all had. */
export function restartEntry(
  { open, asked }: TaskHistory,
  nowMs: number,
): Extract<JournalEntry, { type: 'attempt-aborted' }> | undefined {
  if (open === undefined) return undefined;
  const reason: AttemptEndReason = 'coordinator-restarted';
  const nobody = {
    selected: 0,
    ready: 0,
    cohort: 0,
    reported: 0,
    groups: 0,
    dropped: [],
    declined: {},
    upBytes: 0,
    downBytes: 0,
  };
  return {
    v: JOURNAL_VERSION,
    type: 'attempt-aborted',
    reason,
    record: {
      ...nobody,
      round: open.round,
      attempt: open.attempt,
      identity: open.identity,
      endedAtMs: nowMs,
      durationMs: Math.max(0, nowMs - open.atMs),
    },
    release: asked ?? null,
  };
}
