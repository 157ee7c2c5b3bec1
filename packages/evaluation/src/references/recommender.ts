/** Interactions by person in flat arrays: person u touched values[offsets[u] .. offsets[u + 1]), each item once. */
export interface TrainingRows {
  readonly users: number;
  readonly items: number;
  readonly offsets: Int32Array;
  readonly values: Int32Array;
  /** What the person gave each item, beside `values`, where that is known. */
  readonly ratings?: Float32Array;
}

/** Something that scores every item for a person. */
export interface Recommender {
  /** One score an item. The array belongs to the recommender and may be the same each time: read it only. */
  readonly score: (user: number) => Float32Array;
}

/** Scores of every item for somebody who touched the items of `history`. */
export type HistoryScorer = (history: Int32Array) => Float32Array;

/** A recommender that knows of a person nothing but their items, so that it answers for newcomers too. */
export interface HistoryRecommender extends Recommender {
  readonly scoreHistory: HistoryScorer;
}

/** What person `user` touched; a view, not a copy. */
export function historyOf(train: Pick<TrainingRows, 'offsets' | 'values'>, user: number): Int32Array {
  return train.values.subarray(train.offsets[user], train.offsets[user + 1]);
}

/** What person `user` of `train` gave each item of `history`, NaN where they gave it nothing; undefined where nothing is known of anybody. */
export function ratingsOf(
  { offsets, values, ratings }: Pick<TrainingRows, 'offsets' | 'values' | 'ratings'>,
  user: number,
  history: Int32Array,
): Float32Array | undefined {
  if (ratings === undefined) return undefined;
  const given = new Map<number, number>();
  for (let at = offsets[user] as number; at < (offsets[user + 1] as number); at++)
    given.set(values[at] as number, ratings[at] as number);
  return Float32Array.from(history, (item) => given.get(item) ?? Number.NaN);
}

/** Scores people of `train` by their rows. */
export function historyRecommender(train: TrainingRows, scoreHistory: HistoryScorer): HistoryRecommender {
  return { scoreHistory, score: (user) => scoreHistory(historyOf(train, user)) };
}
