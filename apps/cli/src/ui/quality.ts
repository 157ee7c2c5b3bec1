import type { CanaryReport } from '@tutti/evaluation';
import type { QualityPair } from '@tutti/simulation';
import type { ColdItemsReport } from '../quality/cold-items.ts';
import type { MethodReport } from '../quality/measure.ts';
import { cellsLine, figure, headingLine, type Column } from './table.ts';

const COLUMNS: readonly Column[] = [
  { heading: '', width: 22 },
  { heading: 'HR@10', width: 7, align: 'right' },
  { heading: 'NDCG@10', width: 8, align: 'right' },
  { heading: 'full HR@10', width: 11, align: 'right' },
  { heading: 'full NDCG@10', width: 13, align: 'right' },
];

const NAMES: Readonly<Record<string, string>> = {
  federated: 'this federation',
  central: 'trained centrally',
  checkpoint: 'this checkpoint',
  itemKnn: 'item-kNN',
  ease: 'EASE',
  ials: 'iALS',
  genrePopularity: 'popularity of genres',
};

/** What a method is called where people read it. */
export const methodName = (method: string): string => NAMES[method] ?? method;

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

/** A table as data: what a terminal and a page show alike. */
export interface Table {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

type Methods = Readonly<Record<string, MethodReport>>;

/** HR and NDCG with their intervals, sampled and full. */
export function headlineTable(methods: Methods): Table {
  const cell = (value: number, [low, high]: readonly [number, number]): string =>
    `${figure(value)} [${figure(low)}, ${figure(high)}]`;
  return {
    headings: ['', 'HR@10', 'NDCG@10', 'full HR@10', 'full NDCG@10'],
    rows: rowsOf(methods, ({ sampled, full, intervals }) => [
      cell(sampled.hr10, intervals.sampled.hr10),
      cell(sampled.ndcg10, intervals.sampled.ndcg10),
      cell(full.hr10, intervals.full.hr10),
      cell(full.ndcg10, intervals.full.ndcg10),
    ]),
  };
}

/** The other metrics: sampled, and full in the second half. */
export function furtherTable(methods: Methods): Table {
  const names = ['recall@10', 'precision@10', 'F1@10', 'MRR@10', 'MRR'];
  return {
    headings: ['', ...names, ...names.map((name) => `full ${name}`)],
    rows: rowsOf(methods, ({ sampled, full }) =>
      [sampled, full].flatMap(({ recall10, precision10, f1At10, mrr10, mrr }) =>
        [recall10, precision10, f1At10, mrr10, mrr].map(figure),
      ),
    ),
  };
}

/** What everybody's lists are like. */
export function listsTable(methods: Methods): Table {
  return {
    headings: ['lists of 10', 'coverage', 'novelty (bits)', 'popularity lift', 'Gini'],
    rows: rowsOf(methods, ({ lists: { coverage, novelty, popularityLift, gini } }) =>
      [coverage, novelty, popularityLift, gini].map(figure),
    ),
  };
}

/** HR@10 among the candidates by how many interactions are known. */
export function coldStartTable(methods: Methods): Table {
  const [first] = Object.values(methods);
  return {
    headings: [
      'HR@10, interactions known',
      ...(first?.coldStart ?? []).map(({ interactions }) => String(interactions)),
    ],
    rows: rowsOf(methods, ({ coldStart }) => coldStart.map(({ sampled }) => figure(sampled.hr10))),
  };
}

/** How items are ranked that nobody has touched: among each other, and among everything. */
export function coldItemsTable({ items, people, methods }: ColdItemsReport): Table {
  return {
    headings: [
      `cold items (${items}, ${people} people)`,
      'HR@10',
      'NDCG@10',
      'HR@10 among all',
      'NDCG@10 among all',
    ],
    rows: Object.entries(methods).map(([name, { sampled, full }]) => [
      methodName(name),
      ...[sampled.hr10, sampled.ndcg10, full.hr10, full.ndcg10].map(figure),
    ]),
  };
}

/** For each attribute HR@10 of each group, and the gap. */
export function fairnessTables(methods: Methods): Table[] {
  const [first] = Object.values(methods);
  return Object.entries(first?.fairness ?? {}).map(([attribute, { groups }]) => ({
    headings: [
      `HR@10 by ${attribute}`,
      ...groups.map(({ group, people }) => `${group} (${people})`),
      'gap',
      'full gap',
    ],
    rows: rowsOf(methods, ({ fairness }) => {
      const measured = fairness[attribute];
      const gap = [measured?.gap.sampled.hr10, measured?.gap.full.hr10];
      return [...(measured?.groups ?? []).map(({ sampled }) => sampled.hr10), ...gap].map(figure);
    }),
  }));
}

/** What each canary scored, and what it may score. */
export function canaryTable({ people, constant, guess, memory, sampler }: CanaryReport): Table {
  const named = {
    'constant: the same score for everything': constant,
    'guess: random scores': guess,
    'leak: held-out items among training interactions': memory,
    'leak: items that are never drawn as negatives': sampler,
  };
  return {
    headings: ['canary', 'HR@10', 'may be', ''],
    rows: Object.entries(named).map(
      ([
        name,
        {
          hr,
          allowed: [least, most],
          passed,
        },
      ]) => [
        name,
        figure(hr),
        least === most ? figure(least) : `${figure(least)} to ${figure(most)}`,
        people === 0 ? 'nobody to judge' : passed ? 'passed' : 'FLAGGED',
      ],
    ),
  };
}

/** The tables that a terminal shows of an evaluation. */
export function methodsLines(methods: Methods): string[] {
  const tables = [
    headlineTable(methods),
    listsTable(methods),
    coldStartTable(methods),
    ...fairnessTables(methods),
  ];
  return tables.flatMap((table) => ['', ...tableLines(table)]);
}

/** A table as lines, each column as wide as its widest cell. */
export function tableLines({ headings, rows }: Table): string[] {
  const columns = headings.map((heading, at): Column => {
    const width = Math.max(...[headings, ...rows].map((row) => (row[at] ?? '').length));
    return { heading, width, align: at === 0 ? 'left' : 'right' };
  });
  return [headingLine(columns), ...rows.map((row) => cellsLine(columns, row))];
}

function rowsOf(methods: Methods, cells: (report: MethodReport) => string[]): string[][] {
  return Object.entries(methods).map(([name, report]) => [methodName(name), ...cells(report)]);
}
