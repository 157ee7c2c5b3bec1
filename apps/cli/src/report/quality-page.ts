import type { CanaryReport } from '@tutti/evaluation';
import type { ColdItemsReport } from '../quality/cold-items.ts';
import type { MethodReport } from '../quality/measure.ts';
import {
  canaryTable,
  coldItemsTable,
  coldStartTable,
  fairnessTables,
  furtherTable,
  headlineTable,
  listsTable,
  methodName,
} from '../ui/quality.ts';
import { renderReport, type Chart, type Section } from './html.ts';

/** What the page of an evaluation shows. */
export interface QualityPage {
  readonly title: string;
  readonly subtitle: string;
  readonly methods: Readonly<Record<string, MethodReport>>;
  readonly canaries: CanaryReport;
  readonly notes: readonly string[];
  /** How items are ranked that nobody has touched, where that was measured. */
  readonly cold?: ColdItemsReport;
  /** Charts over the rounds of training, where something was trained. */
  readonly rounds?: readonly Chart[];
  readonly config: unknown;
}

/** The page of an evaluation: figures with intervals, lists, newcomers, groups, canaries. */
export function qualityPage(page: QualityPage): string {
  const { title, subtitle, methods, canaries, notes, cold, rounds = [], config } = page;
  const fairness = fairnessTables(methods);
  const sections: Section[] = [
    {
      heading: 'Quality',
      tables: [headlineTable(methods)],
      notes: [...notes, 'In brackets: 95 % intervals by resampling people, 1,000 times.'],
      charts: [headlineChart(methods, 'sampled'), headlineChart(methods, 'full')],
      folded: { summary: 'Every metric', table: furtherTable(methods) },
    },
    { heading: 'What the lists are like', tables: [listsTable(methods)], charts: listCharts(methods) },
    {
      heading: 'Newcomers',
      tables: [coldStartTable(methods)],
      charts: [coldStartChart(methods, 'sampled'), coldStartChart(methods, 'full')],
    },
    ...(cold === undefined
      ? []
      : [{ heading: 'Items that nobody has touched', tables: [coldItemsTable(cold)] }]),
    ...(fairness.length === 0
      ? []
      : [{ heading: 'Groups', tables: fairness, charts: fairnessCharts(methods) }]),
    ...(rounds.length === 0 ? [] : [{ heading: 'Rounds', charts: rounds }]),
    { heading: 'Canaries', tables: [canaryTable(canaries)] },
  ];
  return renderReport({ title, subtitle, sections, config });
}

type Methods = QualityPage['methods'];
type Kind = 'sampled' | 'full';

const KINDS: Readonly<Record<Kind, string>> = { sampled: 'among the candidates', full: 'among all items' };

function headlineChart(methods: Methods, kind: Kind): Chart {
  const reports = Object.values(methods);
  return {
    title: `HR@10 and NDCG@10 ${KINDS[kind]}`,
    x: Object.keys(methods).map(methodName),
    xLabel: 'method',
    series: (['hr10', 'ndcg10'] as const).map((metric) => ({
      label: metric === 'hr10' ? 'HR@10' : 'NDCG@10',
      values: reports.map((report) => report[kind][metric]),
      intervals: reports.map(({ intervals }) => intervals[kind][metric]),
    })),
  };
}

function listCharts(methods: Methods): Chart[] {
  const names = { coverage: 'coverage', gini: 'Gini index', novelty: 'novelty, bits' } as const;
  return (Object.keys(names) as (keyof typeof names)[]).map((measure) => ({
    title: names[measure],
    x: Object.keys(methods).map(methodName),
    xLabel: 'method',
    series: [{ label: names[measure], values: Object.values(methods).map(({ lists }) => lists[measure]) }],
  }));
}

function coldStartChart(methods: Methods, kind: Kind): Chart {
  const [first] = Object.values(methods);
  return {
    title: `HR@10 ${KINDS[kind]}, by how many interactions are known`,
    x: (first?.coldStart ?? []).map(({ interactions }) => interactions),
    xLabel: 'interactions',
    series: Object.entries(methods).map(([name, { coldStart }]) => ({
      label: methodName(name),
      values: coldStart.map((point) => point[kind].hr10),
    })),
  };
}

function fairnessCharts(methods: Methods): Chart[] {
  const [first] = Object.values(methods);
  return Object.entries(first?.fairness ?? {}).map(([attribute, { groups }]) => ({
    title: `HR@10 by ${attribute}`,
    x: Object.keys(methods).map(methodName),
    xLabel: 'method',
    series: groups.map(({ group }, at) => ({
      label: group,
      values: Object.values(methods).map(
        ({ fairness }) => fairness[attribute]?.groups[at]?.sampled.hr10 ?? null,
      ),
    })),
  }));
}
