import type { RoundReport } from './report.ts';
import type { AttemptEnd } from './simulate.ts';

/** The record of an attempt that ended, as a report line. */
export function roundReport(event: AttemptEnd, seconds: number): RoundReport {
  const { record } = event;
  return {
    round: record.round,
    attempt: record.attempt,
    outcome: event.type,
    ...(event.type === 'aborted' ? { reason: event.reason } : {}),
    cohort: record.cohort,
    reported: record.reported,
    dropped: record.dropped,
    loss: record.loss,
    hr10: record.metrics.hr10,
    ndcg10: record.metrics.ndcg10,
    clippedShare: record.clippedShare,
    epsilon: record.epsilon?.coordinator ?? null,
    upBytes: record.upBytes,
    downBytes: record.downBytes,
    seconds,
    modelHash: record.modelHash,
  };
}
