import type { QualityPair } from '@tutti/simulation';
import { cellsLine, figure, headingLine, type Column } from './table.ts';

const COLUMNS: readonly Column[] = [
  { heading: '', width: 22 },
  { heading: 'HR@10', width: 7, align: 'right' },
  { heading: 'NDCG@10', width: 8, align: 'right' },
  { heading: 'full HR@10', width: 11, align: 'right' },
  { heading: 'full NDCG@10', width: 13, align: 'right' },
];

/** What a method is called where people read it. */
export const methodName = (method: string): string => (method === 'itemKnn' ? 'item-kNN' : method);

/** The closing table: one line a method, sampled and full ranking side by side. */
export function qualityLines(methods: Readonly<Record<string, QualityPair>>): string[] {
  const lines = Object.entries(methods).map(([name, { sampled, full }]) =>
    cellsLine(COLUMNS, [
      methodName(name),
      figure(sampled.hr10),
      figure(sampled.ndcg10),
      figure(full.hr10),
      figure(full.ndcg10),
    ]),
  );
  return [headingLine(COLUMNS), ...lines];
}
