import { UsageError } from '@tutti/base';
import { peopleCounts } from './popularity.ts';
import { historyRecommender, type HistoryRecommender, type TrainingRows } from './recommender.ts';

/**
 * Scores an item by how popular its genres are: the mean over them of the mean number of people who touched an item of that genre. Items that nobody touched do not count, so that it
 * answers for them; an item without genres scores 0. It is the least that a model of items nobody has touched must beat.
 *
 * @param genres one list an item.
 * @throws {UsageError} if there is not one list for each item.
 */
export function genrePopularity(
  train: TrainingRows,
  genres: readonly (readonly string[])[],
): HistoryRecommender {
  if (genres.length !== train.items)
    throw new UsageError(`genres of ${genres.length} items; there are ${train.items}`);
  const people = peopleCounts(train);
  const totals = new Map<string, { people: number; items: number }>();
  people.forEach((count, item) => {
    if (count === 0) return;
    for (const genre of genres[item] ?? []) {
      const total = totals.get(genre) ?? { people: 0, items: 0 };
      totals.set(genre, { people: total.people + count, items: total.items + 1 });
    }
  });
  const scores = Float32Array.from(genres, (own) => {
    const means = own
      .map((genre) => totals.get(genre))
      .map((total) => (total === undefined ? 0 : total.people / total.items));
    return means.reduce((sum, mean) => sum + mean, 0) / Math.max(1, means.length);
  });
  return historyRecommender(train, () => scores);
}
