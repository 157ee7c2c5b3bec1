import type { SplitDataset } from '@tutti/datasets';
import { coldStartPeople, coldStartPoints, type ColdStartPoint, type PersonRanking } from '@tutti/evaluation';
import type { EngineChoice } from '@tutti/engine-simd';
import type { BackendName, TrainingEngine } from '@tutti/model';
import type { Fit } from '../options.ts';
import { sharePopulation, trainingRows, type Population } from '../population.ts';
import { K } from '../ranking.ts';
import type { SimulationHosts } from '../remote/hosts.ts';
import { openRemoteEvaluation } from '../remote/remote-evaluation.ts';
import { openCheckpointScorer } from './checkpoint-scorer.ts';
import { measurePeople, type MeasureAll } from './measure-people.ts';

/** What of a checkpoint is ranked, and for whom. */
export interface RankOptions {
  readonly part: 'test' | 'validation';
  /** Everybody, unless some are named. */
  readonly users?: readonly number[];
  /** Hears the share that is done. */
  readonly onProgress?: (share: number) => void;
}

/** Measures checkpoints of one model on the people of one data set. The figures do not depend on where the work is done. */
export interface CheckpointEvaluator {
  /** How everybody's held-out item is ranked, in the order of the people; nobody without one is in it. */
  rank(shared: Float32Array, options: RankOptions): Promise<PersonRanking[]>;
  /** How newcomers are served who have told little. */
  newcomers(shared: Float32Array): Promise<ColdStartPoint[]>;
  close(): Promise<void>;
}

/** What an evaluator is opened with. */
export interface EvaluatorOptions {
  readonly dataset: SplitDataset;
  readonly fit: Fit;
  /** Evaluates here; hosts open one of the same choice. */
  readonly engine: TrainingEngine;
  readonly choice: { readonly engine: EngineChoice; readonly backend: BackendName | 'auto' };
  /** Lets others have their turn, and throws to stop. */
  readonly breathe: () => Promise<void>;
  /** Spreads people over these; otherwise they are ranked for here. */
  readonly hosts?: SimulationHosts;
  /** Ends what hosts have in work. */
  readonly signal?: AbortSignal;
}

/**
 * Opens an evaluator: in this process, or over the hosts that there are.
 * @throws what `simulate` throws of hosts.
 */
export async function openEvaluator(options: EvaluatorOptions): Promise<CheckpointEvaluator> {
  const { dataset, fit, engine, hosts, choice, signal } = options;
  const population = sharePopulation(dataset, fit);
  if (hosts === undefined)
    return evaluatorOver(population, {
      measure: measureHere(population, options),
      close: async () => undefined,
    });
  const setup = { model: engine.model.config, items: population.items, ...choice };
  const { backend, model } = engine;
  const remote = await openRemoteEvaluation(hosts, { setup, population, backend, layout: model.layout });
  signal?.addEventListener('abort', () => void remote.close(), { once: true });
  return evaluatorOver(population, remote);
}

const measureHere =
  (population: Population, { engine, breathe }: EvaluatorOptions): MeasureAll =>
  async (shared, what, onDone) => {
    const scorer = await openCheckpointScorer(engine, shared, trainingRows(population));
    try {
      return await measurePeople({ population, ...what }, scorer, (done) => {
        onDone(done);
        return breathe();
      });
    } finally {
      scorer.dispose();
    }
  };

function evaluatorOver(
  population: Population,
  by: { readonly measure: MeasureAll; close(): Promise<void> },
): CheckpointEvaluator {
  const everybody = Array.from({ length: population.users }, (_, user) => user);
  return {
    async rank(shared, { part, users = everybody, onProgress }) {
      const asked = { measure: part, users };
      const found = byUser(await by.measure(shared, asked, (done) => onProgress?.(done / users.length)));
      return users.flatMap((user) => found.get(user) ?? []);
    },
    async newcomers(shared) {
      const train = trainingRows(population);
      const users = coldStartPeople({ train, test: population.test });
      const found = byUser(await by.measure(shared, { measure: 'newcomers', users }, () => undefined));
      return coldStartPoints(
        users.map((user) => found.get(user) ?? []),
        { train, k: K },
      );
    },
    close: () => by.close(),
  };
}

/** The rankings of each person, in their order. */
function byUser(rankings: readonly PersonRanking[]): ReadonlyMap<number, readonly PersonRanking[]> {
  const found = new Map<number, PersonRanking[]>();
  for (const ranking of rankings) {
    const known = found.get(ranking.user);
    if (known === undefined) found.set(ranking.user, [ranking]);
    else known.push(ranking);
  }
  return found;
}
