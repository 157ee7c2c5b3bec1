import { wipeReplies } from '@tutti/secure-aggregation';
import type { Attempt, Summing } from './attempt-state.ts';
import { survivorsOf, unmaskable } from './attempt-view.ts';
import { commitContent } from './checkpoints.ts';
import { clippedShareOf, clippingNormAfter, metricsOf, type Summed } from './commit.ts';
import { contentUpdateOf } from './content-model.ts';
import {
  JOURNAL_VERSION,
  type AttemptEndReason,
  type ComparisonRecord,
  type EvaluationRecord,
  type Funnel,
  type NoiseDraw,
  type RoundRecord,
} from './journal.ts';
import { JUDGED_METRICS } from './judge.ts';
import type { Traffic } from './ports.ts';
import { funnelOf } from './record.ts';
import { releaseOf } from './release.ts';
import type { PublishedSlice } from './slice.ts';
import type { TaskParts } from './task-parts.ts';
import { comparisonOf, type Trial } from './trial.ts';
import type { Uploads } from './uploads.ts';

/** How attempts end: what is written to the journal before anybody hears of it. */

/** An attempt that is going on, and what its record needs. */
export interface Running {
  attempt: Attempt;
  readonly openedAtMs: number;
  readonly trafficBefore: Traffic;
  readonly uploads: Uploads;
  readonly slice: PublishedSlice | undefined;
  /** What it is a look at. */
  readonly trial: Trial | undefined;
  cancelTimer: () => void;
}

/** Writes down a round: its new model, what it released, who was in it. */
export async function commitAttempt(
  parts: TaskParts,
  {
    running,
    attempt,
    summed,
    noiseDraw,
  }: { running: Running; attempt: Summing; summed: Summed; noiseDraw: NoiseDraw | undefined },
): Promise<RoundRecord> {
  const { config, log } = parts;
  const { description } = attempt;
  const { modelHash, ...states } = await nextModel(parts, running, summed);
  const release = releaseOf(config, description, summed);
  const record: RoundRecord = {
    ...funnelNow(parts, running, summed),
    ...metricsOf(summed.update),
    modelHash,
    previousModelHash: description.modelHash,
    clippedShare: clippedShareOf(summed.update),
    epsilon: log.epsilonWith(release),
  };
  const nextClippingNorm = clippingNormAfter(config, description.clippingNorm, summed.update);
  await log.append({
    ...{ v: JOURNAL_VERSION, type: 'round-committed', record, ...states, release },
    ...(nextClippingNorm === undefined ? {} : { nextClippingNorm }),
    ...(noiseDraw === undefined ? {} : { noiseDraw }),
  });
  countParts(parts, attempt);
  parts.lobby.observeRound(record.durationMs);
  return record;
}

/** Writes down a measurement. */
export async function evaluateAttempt(
  parts: TaskParts,
  { running, attempt, summed }: { running: Running; attempt: Summing; summed: Summed },
): Promise<EvaluationRecord> {
  const { config, log } = parts;
  const record: EvaluationRecord = {
    ...funnelNow(parts, running, summed),
    ...metricsOf(summed.update),
    modelHash: attempt.description.modelHash,
  };
  const release = releaseOf(config, attempt.description, summed);
  await log.append({ v: JOURNAL_VERSION, type: 'evaluated', record, release });
  return record;
}

/** Writes down what a look at a candidate came to. */
export async function compareAttempt(
  parts: TaskParts,
  { running, attempt, summed, trial }: { running: Running; attempt: Summing; summed: Summed; trial: Trial },
): Promise<ComparisonRecord> {
  const { config, log } = parts;
  const { description } = attempt;
  const metric = config.promotion?.metric ?? JUDGED_METRICS[0];
  const comparison = comparisonOf(trial, metric, summed, description);
  const record: ComparisonRecord = { ...funnelNow(parts, running, summed), comparison };
  const release = releaseOf(config, description, summed);
  await log.append({ v: JOURNAL_VERSION, type: 'compared', record, release });
  return record;
}

/** Writes down that an attempt came to nothing, and forgets what was sent for it. */
export async function abortAttempt(
  parts: TaskParts,
  running: Running,
  reason: AttemptEndReason,
): Promise<Funnel> {
  forgetSent(parts, running);
  const { attempt } = running;
  const record = funnelNow(parts, running, undefined);
  const release = unmaskable(attempt) === undefined ? null : (parts.log.history.asked ?? null);
  await parts.log.append({ v: JOURNAL_VERSION, type: 'attempt-aborted', reason, record, release });
  return record;
}

/** Forgets what was sent for an attempt. */
export function forgetSent({ ports }: TaskParts, { attempt, uploads, cancelTimer }: Running): void {
  cancelTimer();
  uploads.clear();
  const { attempt: number } = attempt.description;
  if (!('groups' in attempt)) return;
  attempt.groups.forEach((state, group) => {
    ports.sums.discard({ attempt: number, group });
    if (state.phase === 'unmask') wipeReplies(state);
  });
}

async function nextModel(
  { config, log, ports, newest, slices, content }: TaskParts,
  { slice, attempt }: Running,
  summed: Summed,
) {
  const { history } = log;
  const { description } = attempt;
  if (slice !== undefined && slices !== undefined)
    return slices.commit(history, summed.update, slice, description);
  if (content === undefined) return newest.commit(history, summed.update);
  const rows = Uint32Array.from({ length: config.model.items }, (_, row) => row);
  const update = contentUpdateOf(description, summed.update, rows);
  return commitContent(config, history, { content, update }, ports.blobs);
}

/** Lets those rest that took part as often, or as recently, as they may. */
function countParts({ config, lobby }: TaskParts, attempt: Summing): void {
  const { participation } = config.noise;
  if (participation === undefined) return;
  for (const client of survivorsOf(attempt)) lobby.tookPart(client, attempt.description.round, participation);
}

function funnelNow({ ports }: TaskParts, running: Running, summed: Summed | undefined): Funnel {
  const { attempt, openedAtMs, trafficBefore: before } = running;
  return funnelOf(attempt, {
    ...{ openedAtMs, nowMs: ports.clock.now(), before, after: ports.traffic(), summed },
  });
}
