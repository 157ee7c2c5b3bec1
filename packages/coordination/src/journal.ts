import { DecodeError } from '@tutti/base';
import { IDENTITY_LEVELS } from '@tutti/identity';
import { CHANNELS, ROUND_ABORT_REASONS } from '@tutti/protocol';
import * as z from 'zod/mini';
import { JUDGED_METRICS } from './judge.ts';
import { firstReleaseSchema, ofFirstRelease, releaseSchema } from './release.ts';

/** A task's journal, entry by entry: what is in it happened, what is not did not. `history.ts` folds it into what a task has come to. */
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
