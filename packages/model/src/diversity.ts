import { productOf, type ItemVectors } from './item-vectors.ts';
import type { Ranking } from './types.ts';

/**
 * Picks `k` of a ranking so that they are good and unlike each other: each next item is the one with the best
 * (1 − diversity) · relevance − diversity · (largest cosine to an item that was picked), where relevance is the score brought to 0 … 1
 * over the ranking. 0 leaves the order as it is.
 *
 * @param unit vectors of length 1 of all items that the ranking may name.
 * @param diversity 0 to 1.
 * @see Carbonell, Goldstein, The use of MMR, diversity-based reranking, SIGIR 1998.
 */
export function diverse(ranking: Ranking, unit: ItemVectors, k: number, diversity: number): Ranking {
  const { items, scores } = ranking;
  const [most, least] = [scores[0] ?? 0, scores.at(-1) ?? 0];
  const relevance = (place: number): number =>
    most > least ? ((scores[place] as number) - least) / (most - least) : 1;
  const left = new Set(items.keys());
  const likeness = new Float64Array(items.length);
  const picked: number[] = [];
  while (picked.length < Math.min(k, items.length)) {
    const value = (place: number): number =>
      (1 - diversity) * relevance(place) - diversity * (likeness[place] as number);
    let best = -1;
    for (const place of left) if (best < 0 || value(place) > value(best)) best = place;
    picked.push(best);
    left.delete(best);
    for (const place of left)
      likeness[place] = Math.max(
        picked.length === 1 ? -1 : (likeness[place] as number),
        productOf(unit, items[best] as number, items[place] as number),
      );
  }
  return {
    items: Int32Array.from(picked, (place) => items[place] as number),
    scores: Float32Array.from(picked, (place) => scores[place] as number),
  };
}
