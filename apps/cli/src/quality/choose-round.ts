import type { HeldOut } from '@tutti/datasets';
import { bothMetricsOf, type RankingMetrics } from '@tutti/evaluation';
import { decodeCheckpoint, type SharedLayout } from '@tutti/model';
import { qualityOfMetrics, type CheckpointEvaluator, type QualityPair } from '@tutti/simulation';

/** People whose validation items decide at most: enough to order rounds. */
const MOST_PEOPLE = 1_000;

/** Length of the lists. */
const K = 10;

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
  evaluator: CheckpointEvaluator,
  layout: SharedLayout,
  validation: HeldOut | undefined,
): RoundChooser {
  let last = new Float32Array(0);
  let best: { round: number; shared: Float32Array; metrics: RankingMetrics } | undefined;
  const judges = validation === undefined ? [] : evenlySpread(validation);
  return {
    async offer(round, checkpoint) {
      last = Float32Array.from(decodeCheckpoint(checkpoint, layout).shared);
      if (validation === undefined) return;
      const people = await evaluator.rank(last, { part: 'validation', users: judges });
      const metrics = bothMetricsOf(people, K).sampled;
      if (best === undefined || metrics.ndcg > best.metrics.ndcg) best = { round, shared: last, metrics };
    },
    last: () => last,
    async chosen() {
      if (best === undefined) return undefined;
      const { sampled, full } = bothMetricsOf(await evaluator.rank(best.shared, { part: 'test' }), K);
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

/** Some of those who have a validation item. */
function evenlySpread({ positives }: HeldOut): number[] {
  const all = Array.from(positives.keys()).filter((user) => (positives[user] ?? -1) >= 0);
  const count = Math.min(MOST_PEOPLE, all.length);
  return Array.from({ length: count }, (_, n) => all[Math.floor((n * all.length) / count)] as number);
}
