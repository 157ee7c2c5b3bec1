import { itemKnn, popularity, rootMeanSquareError, type PersonRanking } from '@tutti/evaluation';
import { predictsRatings, type ModelConfig } from '@tutti/model';
import type { SimulationOptions } from './options.ts';
import { trainingRows, type Population } from './population.ts';
import type { DevicePool } from './device-pool.ts';
import { qualityOf, rankOne } from './ranking.ts';
import type { QualityReport, SimulationResult } from './report.ts';

/** People ranked for in one request to a thread. */
const BATCH = 32;

type OnProgress = SimulationOptions['onProgress'];

/** Ranks everybody's test item on their own device with the model `modelHash`; in the order of people, whatever threads there are. */
export async function rankEverybody(
  pool: DevicePool,
  population: Population,
  modelHash: string,
  onProgress: OnProgress,
): Promise<PersonRanking[]> {
  const found = new Map<number, PersonRanking>();
  let done = 0;
  await Promise.all(
    Array.from({ length: pool.size }, async (_, thread) => {
      for (let user = thread; user < population.users; user += pool.size * BATCH) {
        const users: number[] = [];
        for (let at = user; at < population.users && users.length < BATCH; at += pool.size) users.push(at);
        for (const person of await pool.ask<'rank'>(thread, { kind: 'rank', users, modelHash }))
          found.set(person.user, person);
        done += users.length;
        onProgress?.({ step: 'evaluation', done, total: population.users, within: 0, phase: '' });
      }
    }),
  );
  return Array.from(found.values()).sort((a, b) => a.user - b.user);
}

/** How far predicted ratings of test items are from what was given; nothing for models that predict none. */
export function ratingErrors(
  people: readonly PersonRanking[],
  { test: { ratings } }: { readonly test: Pick<Population['test'], 'ratings'> },
  config: ModelConfig,
): Pick<SimulationResult, 'rmse'> {
  if (!predictsRatings(config)) return {};
  const ratingMean = 'ratingMean' in config ? (config.ratingMean ?? 0) : 0;
  const alike = people.map(({ user }) => ({ user, score: ratingMean }));
  return {
    rmse: { test: rootMeanSquareError(people, ratings), mean: rootMeanSquareError(alike, ratings) },
  };
}

/** Popularity and item-kNN on the same training part, ranked the same way. */
export function referenceQualities(
  population: Population,
  onProgress: OnProgress,
): Record<string, QualityReport> {
  const train = trainingRows(population);
  const references = { popularity: popularity(train), itemKnn: itemKnn(train) };
  const names = Object.keys(references) as (keyof typeof references)[];
  return Object.fromEntries(
    names.map((name, index) => {
      onProgress?.({ step: 'baselines', done: index, total: names.length, within: 0, phase: name });
      const people = Array.from({ length: population.users }, (_, user) =>
        rankOne(references[name].score(user), population, user),
      );
      const ranked = people.filter((person) => person !== undefined);
      return [name, qualityOf(ranked, train)];
    }),
  );
}
