import type { RoundReport } from '@tutti/simulation';
import type { Point } from '@tutti/trackers';

/** A round as points of curves; nothing for what was not measured, and none for an attempt that made no round. */
export function pointOf(report: RoundReport, atMs: number): Point | undefined {
  if (report.outcome !== 'committed') return undefined;
  const { loss, hr10, ndcg10, rmse, clippedShare, epsilon } = report;
  const measured: Readonly<Record<string, number | null | undefined>> = {
    'quality/hr_at_10': hr10,
    'quality/ndcg_at_10': ndcg10,
    'quality/rmse': rmse,
    'training/loss': loss,
    'training/clipped_share': clippedShare,
    'cohort/size': report.cohort,
    'cohort/reported': report.reported,
    'cohort/dropped': report.dropped.reduce((sum, { count }) => sum + count, 0),
    'bytes/up': report.upBytes,
    'bytes/down': report.downBytes,
    'round/seconds': report.seconds,
    'privacy/epsilon_coordinator': epsilon?.coordinator,
    'privacy/epsilon_readers': epsilon?.readers,
  };
  const scalars = Object.entries(measured).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number' && Number.isFinite(entry[1]),
  );
  return { step: report.round, atMs, scalars: Object.fromEntries(scalars) };
}
