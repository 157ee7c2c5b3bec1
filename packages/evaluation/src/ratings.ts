import type { PersonRanking } from './people.ts';

/**
 * RMSE: √ of the mean of (predicted − given)² over people whose held-out item has a rating; null where nobody's has.
 * @param ratings what each user gave their held-out item, NaN where there is nothing.
 */
export function rootMeanSquareError(
  people: readonly Pick<PersonRanking, 'user' | 'score'>[],
  ratings: Float32Array | undefined,
): number | null {
  const errors = people
    .map(({ user, score }) => score - (ratings?.[user] ?? Number.NaN))
    .filter((error) => !Number.isNaN(error));
  if (errors.length === 0) return null;
  return Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
}
