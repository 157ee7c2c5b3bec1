import { bestOf } from '@tutti/model';
import type { KernelFunctions } from '../kernel.ts';
import type { Heap } from './heap.ts';

/** Keeps the best of each block that is offered beside the best so far. */
export function rankingFunctions(
  heap: Heap,
): Pick<KernelFunctions, 'openRanking' | 'offerScores' | 'closeRanking'> {
  let [capacity, scoresAt, itemsAt, excludedAt] = [0, 0, 0, 0];
  let worst = Number.NEGATIVE_INFINITY;
  let kept: { item: number; score: number }[] = [];

  /** Candidates gather behind the list, and are sorted into it where they become many. */
  function settle(): void {
    const scores = Float32Array.from(kept, ({ score }) => score);
    const best = bestOf(scores, { k: capacity });
    kept = Array.from(best.items, (index) => kept[index] as { item: number; score: number });
    worst = kept.length === capacity ? (kept.at(-1)?.score ?? worst) : Number.NEGATIVE_INFINITY;
  }

  return {
    openRanking(k, scores, items, excluded) {
      [capacity, scoresAt, itemsAt, excludedAt] = [k, scores, items, excluded];
      kept = [];
      worst = Number.NEGATIVE_INFINITY;
    },
    offerScores(scores, first, count) {
      const { floats, bytes } = heap;
      for (let i = 0; i < count; i++) {
        const given = floats[scores / 4 + i] as number;
        if (given <= worst && kept.length >= capacity) continue;
        if (bytes[excludedAt + first + i] !== 0) continue;
        // What is not a number ranks last.
        kept.push({ item: first + i, score: Number.isNaN(given) ? -LARGEST_FLOAT : given });
        if (kept.length >= 2 * capacity) settle();
      }
    },
    closeRanking() {
      settle();
      kept.forEach(({ item, score }, index) => {
        heap.integers[itemsAt / 4 + index] = item;
        heap.floats[scoresAt / 4 + index] = score;
      });
      return kept.length;
    },
  };
}

const LARGEST_FLOAT = (2 - 2 ** -23) * 2 ** 127;
