/** Interactions by person in flat arrays: person u touched values[offsets[u] .. offsets[u + 1]). */
export interface TrainingRows {
  readonly users: number;
  readonly items: number;
  readonly offsets: Int32Array;
  readonly values: Int32Array;
}

/** Something that scores every item for a person. */
export interface Recommender {
  score(user: number): Float32Array;
}

/** Scores every item by how many people touched it: the least that a model must beat. */
export function popularity(train: TrainingRows): Recommender {
  const counts = new Float32Array(train.items);
  for (const item of train.values) counts[item] = (counts[item] as number) + 1;
  return { score: () => counts };
}

/** Settings of item-kNN. */
export interface ItemKnnOptions {
  /** Most similar items kept for each item; default 50. */
  readonly neighbours?: number;
  /** Added to the denominator of the cosine, so that rare items need more evidence; default 10. */
  readonly shrink?: number;
}

/**
 * Item-kNN: a candidate's score is the sum of its cosine similarities (with shrinkage) to those of its `neighbours` most
 * similar items that the person touched (Sarwar et al. 2001; Deshpande & Karypis 2004).
 */
export function itemKnn(train: TrainingRows, { neighbours = 50, shrink = 10 }: ItemKnnOptions = {}): Recommender {
  const { items, values } = train;
  const byItem = transpose(train);
  const counts = new Float64Array(items);
  for (const item of values) counts[item] = (counts[item] as number) + 1;
  const listed: { candidate: number; similarity: number }[][] = Array.from({ length: items }, () => []);
  const together = new Float64Array(items);
  for (let item = 0; item < items; item++) {
    together.fill(0);
    for (let at = byItem.offsets[item] as number; at < (byItem.offsets[item + 1] as number); at++) {
      const user = byItem.values[at] as number;
      for (let other = train.offsets[user] as number; other < (train.offsets[user + 1] as number); other++) {
        const neighbour = values[other] as number;
        together[neighbour] = (together[neighbour] as number) + 1;
      }
    }
    together[item] = 0;
    for (const { item: neighbour, similarity } of nearest(together, counts, item, neighbours, shrink)) {
      (listed[neighbour] as (typeof listed)[number]).push({ candidate: item, similarity });
    }
  }
  const lists = listed.map((entries) => ({
    item: Int32Array.from(entries, ({ candidate }) => candidate),
    similarity: Float32Array.from(entries, ({ similarity }) => similarity),
  }));
  return {
    score(user) {
      const scores = new Float32Array(items);
      for (let at = train.offsets[user] as number; at < (train.offsets[user + 1] as number); at++) {
        const list = lists[values[at] as number] as (typeof lists)[number];
        for (let n = 0; n < list.item.length; n++) {
          const item = list.item[n] as number;
          scores[item] = (scores[item] as number) + (list.similarity[n] as number);
        }
      }
      return scores;
    },
  };
}

function nearest(together: Float64Array, counts: Float64Array, item: number, neighbours: number, shrink: number): { item: number; similarity: number }[] {
  const found: { item: number; similarity: number }[] = [];
  for (let other = 0; other < together.length; other++) {
    const both = together[other] as number;
    if (both === 0) continue;
    const similarity = both / (Math.sqrt((counts[item] as number) * (counts[other] as number)) + shrink);
    found.push({ item: other, similarity });
  }
  found.sort((a, b) => b.similarity - a.similarity || a.item - b.item);
  found.length = Math.min(found.length, neighbours);
  return found;
}

/** People by item, in the same flat form. */
function transpose({ users, items, offsets, values }: TrainingRows): { offsets: Int32Array; values: Int32Array } {
  const starts = new Int32Array(items + 1);
  for (const item of values) starts[item + 1] = (starts[item + 1] as number) + 1;
  for (let item = 0; item < items; item++) starts[item + 1] = (starts[item + 1] as number) + (starts[item] as number);
  const next = starts.slice();
  const people = new Int32Array(values.length);
  for (let user = 0; user < users; user++) {
    for (let at = offsets[user] as number; at < (offsets[user + 1] as number); at++) {
      const item = values[at] as number;
      people[next[item] as number] = user;
      next[item] = (next[item] as number) + 1;
    }
  }
  return { offsets: starts, values: people };
}
