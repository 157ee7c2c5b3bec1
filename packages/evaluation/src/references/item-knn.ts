import { UsageError } from '@tutti/base';
import { historyRecommender, type HistoryRecommender, type TrainingRows } from './recommender.ts';
import { peopleByItem, startsOf } from './rows.ts';

/** Settings of item-kNN. */
export interface ItemKnnOptions {
  /** Most similar items kept for each item, at least 1; default 50. */
  readonly neighbours?: number;
  /** Added to the denominator of the cosine, so that rare items need more evidence, at least 0; default 10. */
  readonly shrink?: number;
}

/**
 * Item-kNN: the score of item i for person u is Σ s(i, j) over those of the `neighbours` items most similar to i that u
 * touched, where s(i, j) = |people of both| / (√(|people of i|·|people of j|) + shrink). Of equally similar items the
 * lower item number is kept.
 *
 * On the MovieLens 1M files of He et al. HR@10 / NDCG@10 = .666 / .397. Preparing takes Σ over people of (their items)²
 * steps and memory for `neighbours` × items: a second or two on MovieLens 1M.
 *
 * @throws {UsageError} if an option is out of its range.
 * @see Sarwar et al., Item-Based Collaborative Filtering Recommendation Algorithms, WWW 2001; Deshpande & Karypis, TOIS 2004.
 */
export function itemKnn(train: TrainingRows, options: ItemKnnOptions = {}): HistoryRecommender {
  const { neighbours = 50, shrink = 10 } = options;
  if (!Number.isInteger(neighbours) || neighbours < 1) {
    throw new UsageError(`neighbours is ${neighbours}; a whole number of at least 1 is needed`);
  }
  if (!(shrink >= 0)) throw new UsageError(`shrink is ${shrink}; a number of at least 0 is needed`);
  const lists = transposed(neighbourLists(train, Math.min(neighbours, train.items), shrink), train.items);
  return historyRecommender(train, (history) => {
    const scores = new Float32Array(train.items);
    for (const touched of history) {
      for (let n = lists.offsets[touched] as number; n < (lists.offsets[touched + 1] as number); n++) {
        const item = lists.values[n] as number;
        scores[item] = (scores[item] as number) + (lists.weights[n] as number);
      }
    }
    return scores;
  });
}

/** For each item its most similar ones, flat. */
interface Neighbours {
  /** Row i is values[offsets[i] .. offsets[i + 1]). */
  readonly offsets: Int32Array;
  readonly values: Int32Array;
  readonly weights: Float32Array;
}

function neighbourLists(train: TrainingRows, most: number, shrink: number): Neighbours {
  const { items } = train;
  const people = peopleByItem(train);
  const roots = Float64Array.from({ length: items }, (_, item) =>
    Math.sqrt((people.offsets[item + 1] as number) - (people.offsets[item] as number)),
  );
  const offsets = new Int32Array(items + 1);
  const values = new Int32Array(items * most);
  const weights = new Float32Array(items * most);
  const together = new Int32Array(items);
  const best = bestOf(most);
  for (let item = 0; item < items; item++) {
    countTogether(train, people, item, together);
    best.clear();
    for (let other = 0; other < items; other++) {
      const both = together[other] as number;
      if (both === 0 || other === item) continue;
      best.offer(other, both / ((roots[item] as number) * (roots[other] as number) + shrink));
    }
    offsets[item + 1] = best.copyTo(values, weights, offsets[item] as number);
  }
  return { offsets, values, weights };
}

/** How many people touched both `item` and each other item. One row at a time: the whole table may not fit. */
function countTogether(
  train: TrainingRows,
  people: { readonly offsets: Int32Array; readonly values: Int32Array },
  item: number,
  together: Int32Array,
): void {
  const { offsets, values } = train;
  together.fill(0);
  const end = people.offsets[item + 1] as number;
  for (let at = people.offsets[item] as number; at < end; at++) {
    const user = people.values[at] as number;
    const stop = offsets[user + 1] as number;
    for (let n = offsets[user] as number; n < stop; n++) {
      const other = values[n] as number;
      together[other] = (together[other] as number) + 1;
    }
  }
}

/** Keeps the `most` heaviest of what is offered, heaviest first; of equal ones those offered first. */
function bestOf(most: number): {
  clear(): void;
  offer(value: number, weight: number): void;
  copyTo(values: Int32Array, weights: Float32Array, at: number): number;
} {
  const kept = new Int32Array(most);
  const weightOf = new Float64Array(most);
  let length = 0;
  return {
    clear: () => void (length = 0),
    offer(value, weight) {
      if (length === most && !(weight > (weightOf[most - 1] as number))) return;
      let at = length === most ? most - 1 : length++;
      for (; at > 0 && weight > (weightOf[at - 1] as number); at--) {
        weightOf[at] = weightOf[at - 1] as number;
        kept[at] = kept[at - 1] as number;
      }
      weightOf[at] = weight;
      kept[at] = value;
    },
    copyTo(values, weights, at) {
      values.set(kept.subarray(0, length), at);
      weights.set(weightOf.subarray(0, length), at);
      return at + length;
    },
  };
}

/** The same weights by the other item: for each item those that have it among their neighbours. */
function transposed({ offsets, values, weights }: Neighbours, items: number): Neighbours {
  const used = offsets[items] as number;
  const starts = startsOf(values.subarray(0, used), items);
  const next = starts.slice();
  const flipped = { offsets: starts, values: new Int32Array(used), weights: new Float32Array(used) };
  for (let item = 0; item < items; item++) {
    for (let at = offsets[item] as number; at < (offsets[item + 1] as number); at++) {
      const other = values[at] as number;
      const place = next[other] as number;
      next[other] = place + 1;
      flipped.values[place] = item;
      flipped.weights[place] = weights[at] as number;
    }
  }
  return flipped;
}
