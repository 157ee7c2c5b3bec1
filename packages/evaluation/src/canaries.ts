import { UsageError, type SeededRandom } from '@tutti/base';
import type { Recommender, TrainingRows } from './references/recommender.ts';

/** Recommenders that must score badly: one that scores well has found a mistake in the evaluation, or a leak. */

/** Knows nothing and says so: ties count against the held-out item, so its hit rate is exactly 0. */
export function constantScorer(items: number): Recommender {
  const scores = new Float32Array(items);
  return { score: () => scores };
}

/**
 * Guesses: among 100 candidates its HR@10 is 0.10 (± 0.01 on a few thousand people). Equal seeds and people give equal
 * scores, in whatever order people are asked for.
 */
export function randomScorer(items: number, random: SeededRandom): Recommender {
  return {
    score(user) {
      const stream = random.fork('person', user);
      return Float32Array.from({ length: items }, () => stream.float());
    },
  };
}

/**
 * Draws one training negative for a person.
 * @param positives the person's training items.
 */
export type NegativeSampler = (user: number, positives: ReadonlySet<number>, random: SeededRandom) => number;

/** Negatives a positive and round, as neural recommenders mostly take them (He et al. 2017, §4.1). */
const NEGATIVES_PER_POSITIVE = 4;

/**
 * The leak canary: remembers only which items were never drawn as a person's training negatives, and ranks those first, in
 * random order. Where a sampler leaves the held-out item out, this reaches a hit rate of 1 without having learned
 * anything; where every item outside the training part can be drawn it stays at chance. It must score at most 0.13 on the
 * sampler that training uses (recommendation-quality.md §1).
 *
 * @param sampler the one to examine.
 * @param rounds of training: draws a person are four a positive and round. 100 are enough where a row has a few dozen
 *   positives; the fewer the rounds, the more items were not drawn by chance, and the more faintly a leak shows.
 */
export function neverNegativeScorer(
  train: TrainingRows,
  sampler: NegativeSampler,
  rounds: number,
  random: SeededRandom,
): Recommender {
  return {
    score(user) {
      const positives = new Set(train.values.subarray(train.offsets[user], train.offsets[user + 1]));
      const stream = random.fork('negatives', user);
      const drawn = new Uint8Array(train.items);
      for (let draw = 0; draw < rounds * NEGATIVES_PER_POSITIVE * positives.size; draw++) {
        drawn[sampler(user, positives, stream)] = 1;
      }
      // Random order among equals: without it, ties would hide a leak.
      return Float32Array.from(drawn, (was) => -was + stream.float() / 2);
    },
  };
}

/**
 * A sampler without a leak: uniform over everything outside the training positives, so the held-out item can be drawn.
 * @throws {UsageError} (the sampler) where a person's training part holds every item.
 */
export function uniformNegatives(items: number): NegativeSampler {
  return (_user, positives, random) => {
    if (positives.size >= items) {
      throw new UsageError(
        `the training part holds ${positives.size} of ${items} items; none is left to draw`,
      );
    }
    let item = random.int(items);
    while (positives.has(item)) item = random.int(items);
    return item;
  };
}
