import { seededRandom } from '@tutti/base';
import type { HeldOut, SplitDataset } from '@tutti/datasets';
import {
  bootstrapMean,
  coldStartCurve,
  groupFairness,
  hitRate,
  ndcg,
  rankPeople,
  type BothMetrics,
  type ColdStartPoint,
  type HistoryRecommender,
  type Interval,
  type PersonRanking,
  type Scorer,
  type TrainingRows,
} from '@tutti/evaluation';
import { coldStartRandom, qualityOf, type Fit, type QualityReport } from '@tutti/simulation';

/** Length of the lists that everything is measured on. */
const K = 10;

/** What methods are measured on. */
export interface Bench {
  readonly data: SplitDataset;
  readonly train: TrainingRows;
  readonly test: HeldOut;
  /** Lets others have their turn, and throws to stop. */
  readonly breathe: () => Promise<void>;
}

/** HR and NDCG at 10, sampled and full. */
export interface Headline<T> {
  readonly sampled: { readonly hr10: T; readonly ndcg10: T };
  readonly full: { readonly hr10: T; readonly ndcg10: T };
}

/** How well one group of people is served, or people who have told little. */
export interface Part extends Headline<number> {
  readonly people: number;
}

/** How differently the groups of an attribute are served. */
export interface Groups {
  readonly groups: readonly (Part & { readonly group: string })[];
  /** Best group's figure minus the worst's. */
  readonly gap: Headline<number>;
}

/** Everything that is said of a method with one seed. */
export interface SeedReport extends QualityReport {
  readonly coldStart: readonly (Part & { readonly interactions: number })[];
  /** By attribute; empty where the data name no groups. */
  readonly fairness: Readonly<Record<string, Groups>>;
}

/** Everything that is said of a method: means over its seeds. */
export interface MethodReport extends SeedReport {
  readonly people: number;
  readonly intervals: { readonly level: number; readonly resamples: number } & Headline<Interval>;
  readonly seeds: readonly ({ readonly seed: number } & QualityReport)[];
}

/** A method with one seed: how everybody was ranked for, and how it scores somebody with fewer items. */
export interface Ranked {
  readonly seed: number;
  readonly people: readonly PersonRanking[];
  /** How newcomers are served. */
  readonly newcomers: () => Promise<readonly ColdStartPoint[]>;
}

/** Ranks everybody who has a held-out item. */
export async function rankAll(
  { train, test, breathe }: Bench,
  scorer: Scorer,
  onProgress: (share: number) => void,
): Promise<PersonRanking[]> {
  const onPerson = (done: number): Promise<void> => {
    onProgress(done / train.users);
    return breathe();
  };
  return rankPeople({ scorer, train, test, k: K, onPerson });
}

/** How a reference serves newcomers. */
export function newcomersOf({ train, test, breathe }: Bench, { scoreHistory }: HistoryRecommender) {
  const random = coldStartRandom();
  return (): Promise<readonly ColdStartPoint[]> =>
    coldStartCurve({ scoreHistory, train, test, random, k: K, onProgress: breathe });
}

/** All figures of a method with one seed. */
export async function seedReport({ train, data }: Bench, { people, newcomers }: Ranked): Promise<SeedReport> {
  const curve = await newcomers();
  return {
    ...qualityOf(people, train),
    coldStart: curve.map((point) => ({ interactions: point.interactions, ...partOf(point) })),
    fairness: fairnessOf(data, people),
  };
}

/** Means over seeds, with intervals of each person's mean over them. */
export function methodReport(ranked: readonly Ranked[], reports: readonly SeedReport[]): MethodReport {
  const seeds = reports.map(({ sampled, full, lists }, index) => ({
    seed: (ranked[index] as Ranked).seed,
    sampled,
    full,
    lists,
  }));
  const people = ranked.map((one) => one.people);
  return {
    people: people[0]?.length ?? 0,
    ...meanOf(reports),
    intervals: { level: LEVEL, resamples: RESAMPLES, ...intervalsOf(people) },
    seeds,
  };
}

const LEVEL = 0.95;
const RESAMPLES = 1_000;

function intervalsOf(seeds: readonly (readonly PersonRanking[])[]): Headline<Interval> {
  // One seed for all: intervals of two methods are then of the same resampled people.
  const options = { random: seededRandom('intervals'), resamples: RESAMPLES, level: LEVEL };
  const of = (kind: 'sampled' | 'full', metric: (rank: number, k: number) => number): Interval => {
    const sums = new Float64Array(seeds[0]?.length ?? 0);
    for (const people of seeds)
      people.forEach((person, n) => (sums[n] = (sums[n] as number) + metric(person[kind], K) / seeds.length));
    return bootstrapMean(sums, options);
  };
  const both = (kind: 'sampled' | 'full') => ({ hr10: of(kind, hitRate), ndcg10: of(kind, ndcg) });
  return { sampled: both('sampled'), full: both('full') };
}

function partOf({ sampled, full }: BothMetrics): Part {
  return {
    people: sampled.users,
    sampled: { hr10: sampled.hr, ndcg10: sampled.ndcg },
    full: { hr10: full.hr, ndcg10: full.ndcg },
  };
}

/** What the numbers of an attribute stand for (`@tutti/datasets`, user attributes). */
const GROUP_NAMES: Readonly<Record<string, readonly string[]>> = { gender: ['M', 'F'] };

function fairnessOf(
  { attributes = {} }: SplitDataset,
  people: readonly PersonRanking[],
): Record<string, Groups> {
  return Object.fromEntries(
    Object.entries(attributes).map(([attribute, codes]) => {
      const { groups, gap } = groupFairness(people, codes, K);
      const named = groups.map(({ group, ...both }) => ({
        group: GROUP_NAMES[attribute]?.[group] ?? String(group),
        ...partOf(both),
      }));
      const headline = ({ hr, ndcg: gain }: { hr: number; ndcg: number }) => ({ hr10: hr, ndcg10: gain });
      return [
        attribute,
        { groups: named, gap: { sampled: headline(gap.sampled), full: headline(gap.full) } },
      ];
    }),
  );
}

/** Values of one shape with every number replaced by its mean. */
export function meanOf<T>(values: readonly T[]): T {
  const [first] = values as readonly [T];
  if (typeof first === 'number')
    return ((values as readonly number[]).reduce((sum, value) => sum + value, 0) / values.length) as T;
  if (Array.isArray(first))
    return first.map((_, at) => meanOf(values.map((value) => (value as unknown[])[at]))) as T;
  if (typeof first === 'object' && first !== null) {
    const entries = Object.keys(first).map((key) => [
      key,
      meanOf(values.map((value) => (value as Record<string, unknown>)[key])),
    ]);
    return Object.fromEntries(entries) as T;
  }
  return first;
}

/** Which fit figures are of: they compare with figures of the same fit only. */
export function fitNote({ validation, validationInsideTrain }: SplitDataset, fit: Fit): string {
  if (validation === undefined)
    return 'trained on everything but the test items; there are no validation items';
  if (validationInsideTrain && fit === 'files')
    return 'validation items are inside training, as in the files';
  return 'trained on train only: train, validation and test are disjoint';
}
