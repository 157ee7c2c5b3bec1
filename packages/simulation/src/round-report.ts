import type { CoordinationEvent, RoundRecord } from '@tutti/coordination';
import type { RoundReport } from './report.ts';

/** The end of an attempt, as coordination announces it. */
export type AttemptEnd = Extract<CoordinationEvent, { type: 'committed' | 'aborted' }>;

/** The record of an attempt that ended, as a report line. */
export function roundReport(event: AttemptEnd, seconds: number): RoundReport {
  const { record } = event;
  return {
    round: record.round,
    attempt: record.attempt,
    identity: record.identity,
    outcome: event.type,
    ...(event.type === 'aborted' ? { reason: event.reason } : {}),
    cohort: record.cohort,
    reported: record.reported,
    dropped: record.dropped,
    ...(event.type === 'committed' ? measured(event.record) : NOTHING_MEASURED),
    upBytes: record.upBytes,
    downBytes: record.downBytes,
    seconds,
  };
}

type Measured = Pick<
  RoundReport,
  'loss' | 'hr10' | 'ndcg10' | 'rmse' | 'clippedShare' | 'epsilon' | 'modelHash'
>;

const NOTHING_MEASURED: Measured = {
  loss: null,
  hr10: null,
  ndcg10: null,
  clippedShare: null,
  epsilon: null,
  modelHash: null,
};

const measured = ({ loss, metrics, clippedShare, epsilon, modelHash }: RoundRecord): Measured => ({
  loss,
  hr10: metrics.hr10,
  ndcg10: metrics.ndcg10,
  ...(metrics.rmse === undefined ? {} : { rmse: metrics.rmse }),
  clippedShare,
  epsilon,
  modelHash,
});
