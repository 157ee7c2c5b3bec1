import { UsageError, type SeededRandom } from '@tutti/base';

/** Settings of a bootstrap. */
export interface BootstrapOptions {
  /** Equal seeds draw the same people: intervals of two columns are then of the same resamples. */
  readonly random: SeededRandom;
  /** Samples drawn, at least 1; default 1,000. */
  readonly resamples?: number;
  /** Share of the resampled means inside the interval, in (0, 1); default 0.95. */
  readonly level?: number;
}

/** Lower and upper bound. */
export type Interval = readonly [low: number, high: number];

/**
 * Percentile bootstrap interval of a mean over people: as many people are drawn with replacement as there are, over and over, and the
 * middle `level` of the means is the interval. It says how far the figure depends on who happened to be in the data set, not how it
 * depends on the seed of training.
 *
 * Laws: it lies within the smallest and the largest value; equal values give an interval of no width; of nobody it is [0, 0].
 *
 * @param values one a person.
 * @throws {UsageError} if an option is out of its range.
 * @see Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
 */
export function bootstrapMean(values: ArrayLike<number>, options: BootstrapOptions): Interval {
  const { random, resamples = 1_000, level = 0.95 } = options;
  if (!Number.isInteger(resamples) || resamples < 1)
    throw new UsageError(`resamples is ${resamples}; a whole number of at least 1 is needed`);
  if (!(level > 0 && level < 1))
    throw new UsageError(`level is ${level}; a number between 0 and 1 is needed`);
  if (values.length === 0) return [0, 0];
  const stream = random.fork('bootstrap');
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let n = 0; n < values.length; n++) sum += values[stream.int(values.length)] as number;
    return sum / values.length;
  }).sort();
  return [quantile(means, (1 - level) / 2), quantile(means, (1 + level) / 2)];
}

/** Between the two nearest of `rising` values, linearly (Hyndman & Fan 1996, definition 7). */
function quantile(rising: Float64Array, share: number): number {
  const place = share * (rising.length - 1);
  const below = rising[Math.floor(place)] as number;
  const above = rising[Math.ceil(place)] as number;
  return below + (above - below) * (place - Math.floor(place));
}
