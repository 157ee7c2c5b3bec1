import type { RoundReport } from '@tutti/simulation';
import { bytes } from './screen.ts';
import { figure, type Column } from './table.ts';

/** The columns of a line a round. */
export function roundColumns(): readonly Column[] {
  return [
    { heading: 'round', width: 5, align: 'right' },
    { heading: 'cohort', width: 6, align: 'right' },
    { heading: 'reported', width: 8, align: 'right' },
    { heading: 'dropped', width: 22 },
    { heading: 'up', width: 8, align: 'right' },
    { heading: 'down', width: 8, align: 'right' },
    { heading: 'ε c/r', width: 11, align: 'right' },
    { heading: 'loss', width: 6, align: 'right' },
    { heading: 'HR@10', width: 6, align: 'right' },
    { heading: 'NDCG@10', width: 7, align: 'right' },
    { heading: 's', width: 5, align: 'right' },
  ];
}

/** The cells of one round under {@link roundColumns}; a round that ended without a result says why. */
export function roundCells(report: RoundReport): string[] {
  const dropped = report.dropped.map(({ phase, count }) => `${count} ${phase}`).join(', ');
  return [
    String(report.round),
    String(report.cohort),
    String(report.reported),
    report.outcome === 'aborted' ? `ended: ${report.reason ?? 'no reason'}` : dropped === '' ? '–' : dropped,
    bytes(report.upBytes),
    bytes(report.downBytes),
    epsilons(report.epsilon),
    figure(report.loss),
    figure(report.hr10),
    figure(report.ndcg10),
    report.seconds.toFixed(1),
  ];
}

/** ε against the coordinator and against readers of the model, side by side. */
function epsilons(epsilon: RoundReport['epsilon']): string {
  if (epsilon === null) return '–';
  const one = (value: number | null): string => (value === null ? '–' : value.toFixed(2));
  return `${one(epsilon.coordinator)}/${one(epsilon.readers)}`;
}
