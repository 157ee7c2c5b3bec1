import type { CoordinationEvent } from '@tutti/coordination';
import type { RoundReport } from '@tutti/simulation';

type Aborted = Extract<CoordinationEvent, { type: 'aborted' }>;

/** Why devices declined an attempt that came to nothing; no line where none did. */
export function declinedLines({ record, againAfterMs }: Aborted): string[] {
  const reasons = Object.entries(record.declined).sort(([, a], [, b]) => b - a);
  if (reasons.length === 0) return [];
  const told = reasons.map(([reason, count]) => `${count} × ${reason}`).join(', ');
  const again =
    againAfterMs === 0 ? '' : `; the next attempt begins in ${(againAfterMs / 1_000).toFixed(0)} s`;
  return [`declined: ${told}${again}`];
}

/** A coordinator's event as a line of the table. */
export function reportOf(event: Extract<CoordinationEvent, { type: 'committed' | 'aborted' }>): RoundReport {
  const { record } = event;
  const measured = event.type === 'committed' ? event.record : undefined;
  return {
    round: record.round,
    attempt: record.attempt,
    identity: record.identity,
    outcome: event.type,
    ...(event.type === 'aborted' ? { reason: event.reason } : {}),
    cohort: event.type === 'committed' ? record.cohort : record.selected,
    reported: record.reported,
    dropped: record.dropped,
    loss: measured?.loss ?? null,
    hr10: measured?.metrics.hr10 ?? null,
    ndcg10: measured?.metrics.ndcg10 ?? null,
    clippedShare: measured?.clippedShare ?? null,
    epsilon: measured?.epsilon ?? null,
    upBytes: record.upBytes,
    downBytes: record.downBytes,
    seconds: record.durationMs / 1_000,
    modelHash: measured?.modelHash ?? null,
  };
}
