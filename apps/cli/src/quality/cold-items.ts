import { seededRandom } from '@tutti/base';
import { coldItems, type SplitDataset } from '@tutti/datasets';
import { genrePopularity, randomScorer, type Recommender, type TrainingRows } from '@tutti/evaluation';
import { qualityOf, simulate, type QualityReport } from '@tutti/simulation';
import type { Comparison } from './compare.ts';
import { simulationOptions, type Family, type FederationRun } from './federation.ts';
import { rankAll } from './measure.ts';

/** How items are ranked that nobody has touched. */
export interface ColdItemsReport {
  /** Items that nobody's training had any of. */
  readonly items: number;
  /** People who had touched some of them, and were asked about one. */
  readonly people: number;
  /** `sampled` is among other cold items, `full` among everything. */
  readonly methods: Readonly<Record<string, QualityReport>>;
}

/** A federation of its own, with the first seed, over the data without a tenth of the items: how it ranks those, beside what knows their genres alone. */
export async function benchColdItems(
  family: Family,
  { bench, seeds, screen }: Comparison,
  { flags, hosts, signal }: Omit<FederationRun, 'validation'>,
): Promise<ColdItemsReport> {
  const data = coldItems(bench.data);
  const doing = 'federation without a tenth of the items';
  screen.step(doing);
  const { final } = await simulate({
    ...simulationOptions(flags, family, data),
    ...hosts,
    seed: seeds[0] ?? 1,
    signal,
    onProgress: ({ done, total, within, phase }) =>
      screen.progress(done + within, total, `${doing} ${phase}`),
  });
  const train: TrainingRows = { ...data.train, users: data.users, items: data.items };
  const methods: Record<string, QualityReport> = { federated: final };
  for (const [name, { score }] of Object.entries(referencesOf(data, train))) {
    const people = await rankAll({ ...bench, data, train, test: data.test }, score, (share) =>
      screen.progress(share, 1, `ranking cold items by ${name}`),
    );
    methods[name] = qualityOf(people, train);
  }
  return {
    items: data.cold.length,
    people: data.test.positives.filter((item) => item >= 0).length,
    methods,
  };
}

function referencesOf({ catalogue }: SplitDataset, train: TrainingRows): Record<string, Recommender> {
  return {
    ...(catalogue.genres === undefined ? {} : { genrePopularity: genrePopularity(train, catalogue.genres) }),
    random: randomScorer(train.items, seededRandom('cold items')),
  };
}
