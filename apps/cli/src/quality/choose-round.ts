import type { HeldOut } from '@tutti/datasets';
import { bothMetricsOf, rankPeople, historyOf, type RankingMetrics } from '@tutti/evaluation';
import { decodeCheckpoint, type TrainingEngine } from '@tutti/model';
import type { QualityPair } from '@tutti/simulation';
import { qualityOfMetrics } from '@tutti/simulation';
import { openCheckpointScorer } from './checkpoint-scorer.ts';
import type { Bench } from './measure.ts';

/** People whose validation items decide at most: enough to order rounds. */
const MOST_PEOPLE = 1_000;

/** The round that ranks validation items best, and how it ranks test items. */
export interface ChosenRound extends QualityPair {
  readonly round: number;
  readonly validation: { readonly hr10: number; readonly ndcg10: number; readonly people: number };
}

/** Looks at checkpoints as they are made, and keeps the best on validation items. */
export interface RoundChooser {
  offer(round: number, checkpoint: Uint8Array): Promise<void>;
  /** The last weights that were offered. */
  last(): Float32Array;
  /** Undefined where there is no validation item outside training. */
  chosen(): Promise<ChosenRound | undefined>;
}

/** @param validation items outside the training part, if there are any. */
export function roundChooser(
  bench: Bench,
  engine: TrainingEngine,
  validation: HeldOut | undefined,
): RoundChooser {
  let last = new Float32Array(0);
  let best: { round: number; shared: Float32Array; metrics: RankingMetrics } | undefined;
  const users = (heldOut: HeldOut, most: number): Int32Array => {
    const all = Int32Array.from(heldOut.positives.keys()).filter(
      (user) => (heldOut.positives[user] ?? -1) >= 0,
    );
    const count = Math.min(most, all.length);
    return Int32Array.from({ length: count }, (_, n) => all[Math.floor((n * all.length) / count)] as number);
  };
  const rank = async (shared: Float32Array, test: HeldOut, most: number) => {
    const scorer = await openCheckpointScorer(engine, shared, bench.train);
    const people = await rankPeople({
      scorer: (user) => scorer.scoreHistory(historyOf(bench.train, user), user),
      train: bench.train,
      test,
      users: users(test, most),
      onPerson: bench.breathe,
    });
    scorer.dispose();
    return bothMetricsOf(people, 10);
  };
  return {
    async offer(round, checkpoint) {
      last = Float32Array.from(decodeCheckpoint(checkpoint, engine.model.layout).shared);
      if (validation === undefined) return;
      const metrics = (await rank(last, validation, MOST_PEOPLE)).sampled;
      if (best === undefined || metrics.ndcg > best.metrics.ndcg) best = { round, shared: last, metrics };
    },
    last: () => last,
    async chosen() {
      if (best === undefined) return undefined;
      const { sampled, full } = await rank(best.shared, bench.test, Infinity);
      const { hr, ndcg, users: people } = best.metrics;
      return {
        round: best.round,
        validation: { hr10: hr, ndcg10: ndcg, people },
        sampled: qualityOfMetrics(sampled),
        full: qualityOfMetrics(full),
      };
    },
  };
}
