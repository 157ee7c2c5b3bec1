import { DecodeError } from '@tutti/base';
import { IDENTITY_LEVELS } from '@tutti/identity';
import { CHANNELS, ROUND_ABORT_REASONS } from '@tutti/protocol';
import * as z from 'zod/mini';
import { JUDGED_METRICS } from './judge.ts';
import { firstReleaseSchema, ofFirstRelease, releaseSchema, type ReleaseRecord } from './release.ts';

/** A task's history, as data: what is in the journal happened, what is not did not. Recovery is a fold over it. */
export const JOURNAL_VERSION = 1;

/** Phases in which a client can drop out. */
export const DROP_PHASES = [
  'train',
  'reveal-nonces',
  'share-keys',
  'masked-input',
  'survivors',
  'unmask',
] as const;
export type DropPhase = (typeof DROP_PHASES)[number];

/** Whether a task may begin attempts, as whoever operates it wants it. */
export const RUN_STATES = ['running', 'paused', 'stopped'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Why an attempt ended without a result: what clients are told, and what is a coordinator's own affair. */
export const ATTEMPT_END_REASONS = [
  ...ROUND_ABORT_REASONS,
  /** A gateway of a cluster is gone, and with it the inputs that it had added. */
  'gateway-lost',
] as const;
export type AttemptEndReason = (typeof ATTEMPT_END_REASONS)[number];

const count = z.number().check(z.int(), z.gte(0));
const nullable = z.nullable(z.number());
const hash = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** Journals of 0.1.0 do not name it: there was one level. */
const identity = z._default(z.enum(IDENTITY_LEVELS), 'open');

const funnel = {
  round: count,
  attempt: count,
  identity,
  endedAtMs: z.number(),
  durationMs: z.number(),
  selected: count,
  ready: count,
  cohort: count,
  reported: count,
  groups: count,
  dropped: z.array(z.strictObject({ phase: z.enum(DROP_PHASES), count })),
  declined: z.record(z.string(), count),
  upBytes: count,
  downBytes: count,
};

const metrics = z.strictObject({
  hr10: nullable,
  ndcg10: nullable,
  evaluated: z.number(),
  /** Of models of ratings alone. */
  rmse: z.exactOptional(nullable),
  /** Of a census alone: mean interactions a person. */
  meanHistory: z.exactOptional(nullable),
});

/** The form of a committed round. */
export const roundRecordSchema = z.strictObject({
  ...funnel,
  modelHash: hash,
  previousModelHash: hash,
  loss: nullable,
  metrics,
  clippedShare: nullable,
  epsilon: z.nullable(z.strictObject({ coordinator: nullable, readers: nullable })),
});

const release = z.nullable(z.union([releaseSchema, z.pipe(firstReleaseSchema, z.transform(ofFirstRelease))]));

/** What one look of a trial came to: see `PairedSums`. Noise can carry sums below 0. */
const comparison = z.strictObject({
  /** Number of the promotion that put the candidate on channel canary. */
  sequence: count.check(z.gte(1)),
  metric: z.enum(JUDGED_METRICS),
  people: z.number(),
  gained: z.number(),
  lost: z.number(),
  squared: z.number(),
  noise: z.number().check(z.gte(0)),
});

/** How a candidate was judged. */
export const judgementSchema = z.strictObject({
  sequence: count.check(z.gte(1)),
  /** Hashes of manifests. */
  candidate: hash,
  incumbent: hash,
  metric: z.enum(JUDGED_METRICS),
  verdict: z.enum(['promote', 'rollback', 'continue', 'undecided']),
  /** Mean over people of the candidate's figure less the incumbent's, and its interval: all looks hold together at `confidence`. */
  difference: z.number(),
  low: z.number(),
  high: z.number(),
  confidence: z.number(),
  people: z.number(),
  looks: count,
});

const noiseDraw = z.strictObject({ salt: hash, variance: z.number() });

const version = { v: z.literal(JOURNAL_VERSION) };

const entry = z.discriminatedUnion('type', [
  z.strictObject({
    ...version,
    type: z.literal('task-created'),
    atMs: z.number(),
    layoutHash: hash,
    catalogueHash: hash,
    modelHash: hash,
  }),
  /** Items came or went: rows stay where they are, new ones come behind them. */
  z.strictObject({
    ...version,
    type: z.literal('catalogue-changed'),
    atMs: z.number(),
    layoutHash: hash,
    catalogueHash: hash,
    modelHash: hash,
    strategyHash: z.optional(hash),
    sliceHash: z.optional(hash),
  }),
  /** A census found how many interactions a person has, and the numbers of the model follow from it. */
  z.strictObject({
    ...version,
    type: z.literal('defaults-followed'),
    atMs: z.number(),
    meanHistory: z.number().check(z.gt(0)),
    layoutHash: hash,
  }),
  z.strictObject({
    ...version,
    type: z.literal('attempt-opened'),
    atMs: z.number(),
    round: count,
    attempt: count,
    identity,
    purpose: z.enum(['train', 'evaluate']),
    digest: hash,
  }),
  z.strictObject({
    ...version,
    type: z.literal('attempt-aborted'),
    reason: z.enum(ATTEMPT_END_REASONS),
    record: z.strictObject(funnel),
    /** What the coordinator could see of it all the same: it ended when masks could be removed. */
    release: z._default(release, null),
  }),
  /** Written before anyone is asked for unmask shares, where ε is counted: what a crash from here on has to count. */
  z.strictObject({ ...version, type: z.literal('unmask-asked'), attempt: count, asked: releaseSchema }),
  z.strictObject({
    ...version,
    type: z.literal('round-committed'),
    record: roundRecordSchema,
    strategyHash: hash,
    /** Popularity and head, where the catalogue travels in slices. */
    sliceHash: z.optional(hash),
    release,
    /** C of the next round, where it adapts. */
    nextClippingNorm: z.optional(z.number().check(z.gt(0))),
    /** What makes this round's draw of correlated noise again, beside the coordinator's secret, and its variance in ring units. */
    noiseDraw: z.optional(noiseDraw),
  }),
  z.strictObject({
    ...version,
    type: z.literal('evaluated'),
    release,
    record: z.strictObject({ ...funnel, modelHash: hash, metrics, loss: nullable }),
  }),
  /** Somebody paused, resumed or stopped it; `by` is the name of their token. */
  z.strictObject({
    ...version,
    type: z.literal('run-changed'),
    atMs: z.number(),
    run: z.enum(RUN_STATES),
    by: z.string().check(z.maxLength(63)),
  }),
  /** A model was put on a channel, or the last one was taken off it: what the channel has from then on. */
  z.strictObject({
    ...version,
    type: z.literal('model-promoted'),
    atMs: z.number(),
    channel: z.enum(CHANNELS),
    step: z.enum(['promote', 'rollback']),
    manifest: z.nullable(hash),
    modelHash: z.nullable(hash),
    by: z.string().check(z.maxLength(63)),
    /** Where it was the policy that did it, after a trial. */
    judged: z.exactOptional(judgementSchema),
  }),
  /** A candidate and the incumbent were compared by a part of the devices, through a secure sum. */
  z.strictObject({
    ...version,
    type: z.literal('compared'),
    release,
    record: z.strictObject({ ...funnel, comparison }),
  }),
]);

/** One entry of a journal. */
export type JournalEntry = z.infer<typeof entry>;
/** Who took part in an attempt, and how far they came. */
export type Funnel = Omit<Extract<JournalEntry, { type: 'attempt-aborted' }>['record'], never>;
/** A committed round. */
export type RoundRecord = Extract<JournalEntry, { type: 'round-committed' }>['record'];
/** A measurement of everybody, through a secure sum. */
export type EvaluationRecord = Extract<JournalEntry, { type: 'evaluated' }>['record'];
/** A comparison of two models by a part of the devices, through a secure sum. */
export type ComparisonRecord = Extract<JournalEntry, { type: 'compared' }>['record'];
/** What one look of a trial came to. */
export type Comparison = z.infer<typeof comparison>;
/** How a candidate was judged. */
export type Judgement = z.infer<typeof judgementSchema>;
/** What makes a draw of correlated noise again. */
export type NoiseDraw = z.infer<typeof noiseDraw>;

/** An entry from outside. @throws {DecodeError} naming the field. */
export function decodeJournalEntry(value: unknown): JournalEntry {
  const result = entry.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new DecodeError(
    ['journal', ...(issue?.path ?? [])].map(String).join('.'),
    issue?.message ?? 'is invalid',
  );
}

/** What a task has come to. */
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
export function restartEntry({ open, asked }: TaskHistory, nowMs: number): JournalEntry | undefined {
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
