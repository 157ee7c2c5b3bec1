import { itemKnn, popularity } from '@tutti/evaluation';
import type { SimulationOptions } from './options.ts';
import type { Population } from './population.ts';
import type { ThreadPool } from './pool.ts';
import { addRanks, emptyRankingSums, qualityOf } from './ranking.ts';
import type { QualityPair } from './report.ts';
import type { RankingSums } from './thread.ts';

/** People ranked for in one request to a thread; one sum each, so that the figures do not depend on the threads. */
const BATCH = 32;

type OnProgress = SimulationOptions['onProgress'];

/** Ranks everybody's test item on their own device with the model `modelHash`. */
export async function finalQuality(
  pool: ThreadPool,
  population: Population,
  modelHash: string,
  onProgress: OnProgress,
): Promise<QualityPair> {
  const parts = new Map<number, RankingSums>();
  let done = 0;
  await Promise.all(
    Array.from({ length: pool.size }, async (_, thread) => {
      for (let user = thread; user < population.users; user += pool.size * BATCH) {
        const users: number[] = [];
        for (let at = user; at < population.users && users.length < BATCH; at += pool.size) users.push(at);
        for (const part of await pool.ask<'rank'>(thread, { kind: 'rank', users, modelHash }))
          parts.set(part.user, part.sums);
        done += users.length;
        onProgress?.({ step: 'evaluation', done, total: population.users, within: 0, phase: '' });
      }
    }),
  );
  return qualityOf(
    Array.from({ length: population.users }, (_, user) => parts.get(user) ?? emptyRankingSums()),
  );
}

/** Popularity and item-kNN on the same training part, ranked the same way. */
export function referenceQualities(
  population: Population,
  onProgress: OnProgress,
): Record<string, QualityPair> {
  const train = { users: population.users, items: population.items, ...population.train };
  const references = { popularity: popularity(train), itemKnn: itemKnn(train) };
  const names = Object.keys(references) as (keyof typeof references)[];
  return Object.fromEntries(
    names.map((name, index) => {
      onProgress?.({ step: 'baselines', done: index, total: names.length, within: 0, phase: name });
      const sums = emptyRankingSums();
      for (let user = 0; user < population.users; user++) {
        addRanks(sums, references[name].score(user), population.train, population.test, user);
      }
      return [name, qualityOf([sums])];
    }),
  );
}
