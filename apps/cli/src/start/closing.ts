import { writeFile } from 'node:fs/promises';
import { renderReport, roundCharts } from '../report/html.ts';
import { bytes, duration } from '../ui/screen.ts';
import { cellsLine, figure, headingLine, type Column } from '../ui/table.ts';
import type { FederationResult } from './federation.ts';

const COLUMNS: readonly Column[] = [
  { heading: '', width: 20 },
  { heading: 'HR@10', width: 6, align: 'right' },
  { heading: 'NDCG@10', width: 7, align: 'right' },
  { heading: '', width: 60 },
];

/** What a line of the table is to be read with. */
const REMARKS: Readonly<Record<string, string>> = {
  'this federation': 'measured on the devices, through a secure sum',
  'trained centrally': 'what it would cost in privacy: every like on one machine',
};

/** The last page: the table, three people's lists, what left the devices. */
export function closingLines(result: FederationResult): string[] {
  return [
    '',
    headingLine(COLUMNS),
    ...Object.entries(result.methods).map(([name, { hr10, ndcg10 }]) =>
      cellsLine(COLUMNS, [name, figure(hr10), figure(ndcg10), REMARKS[name] ?? '']),
    ),
    ...result.lists.flatMap(({ person, liked, recommended, because }) => [
      '',
      `${person}, who liked ${liked.join(', ')} …, would get`,
      ...recommended.map((title, index) => listLine(index + 1, title, because[index])),
    ]),
    '',
    `What left the devices: masked words, keys and sizes (${result.uploads} uploads, ${bytes(result.bytes.up)} up, ${bytes(result.bytes.down)} down, ${duration(result.seconds)}).`,
  ];
}

/** One line of a list: place, title, and what the person liked that speaks for it. */
export function listLine(place: number, title: string, because: string | null | undefined): string {
  const line = `${String(place).padStart(3)} ${title}`;
  return because === null || because === undefined ? line : `${line.padEnd(34)} because of ${because}`;
}

/** Writes the report page of the main job. */
export async function writeStartReport(path: string, result: FederationResult): Promise<void> {
  const rounds = result.rounds;
  const numbers = rounds.map(({ round }) => round);
  const page = renderReport({
    title: 'Tutti: a federation on this machine',
    subtitle: `${result.people} people · ${result.model} · ${rounds.length} rounds · seed ${result.seed} · model ${result.modelHash.slice(0, 16)}`,
    sections: [
      {
        heading: 'Result',
        tables: [
          {
            headings: ['method', 'HR@10', 'NDCG@10'],
            rows: Object.entries(result.methods).map(([name, { hr10, ndcg10 }]) => [
              name,
              figure(hr10),
              figure(ndcg10),
            ]),
          },
        ],
        notes: [
          'HR and NDCG of a round are those of its cohort, so they scatter; the table is over everybody.',
        ],
      },
      {
        heading: 'Rounds',
        charts: roundCharts(numbers, {
          'training loss': rounds.map(({ loss }) => loss),
          'HR@10 (secure lanes of the cohort)': rounds.map(({ metrics }) => metrics.hr10),
          'NDCG@10 (secure lanes of the cohort)': rounds.map(({ metrics }) => metrics.ndcg10),
          'seconds a round': rounds.map(({ durationMs }) => durationMs / 1_000),
        }),
        folded: {
          summary: 'Every round',
          table: {
            headings: ['round', 'cohort', 'reported', 'up', 'down', 'loss', 'HR@10', 'NDCG@10', 'seconds'],
            rows: rounds.map((round) => [
              String(round.round),
              String(round.cohort),
              String(round.reported),
              bytes(round.upBytes),
              bytes(round.downBytes),
              figure(round.loss),
              figure(round.metrics.hr10),
              figure(round.metrics.ndcg10),
              (round.durationMs / 1_000).toFixed(1),
            ]),
          },
        },
      },
    ],
    config: { model: result.model, people: result.people, seed: result.seed },
  });
  await writeFile(path, page);
}
