import type { SeededRandom } from '@tutti/base';
import type { Recommender, TrainingRows } from './references.ts';

/** Recommenders that must score badly: one that scores well has found a mistake in the evaluation, or a leak. */

/** Knows nothing and says so: ties count against the held-out item, so its hit rate is exactly 0. */
export function constantScorer(items: number): Recommender {
  const scores = new Float32Array(items);
  return { score: () => scores };
}

/** Guesses: among 100 candidates its HR@10 is 0.10 ± 0.01 on a few thousand people. */
export function randomScorer(items: number, random: SeededRandom): Recommender {
  return { score: (user) => Float32Array.from({ length: items }, ((stream) => () => stream.float())(random.fork('person', user))) };
}

/** Draws one training negative for a person. */
export type NegativeSampler = (user: number, positives: ReadonlySet<number>, random: SeededRandom) => number;

/**
 * Remembers only which items were never drawn as a person's training negatives. Where the sampler leaves the held-out item
 * out, this reaches a hit rate of 1; where every item outside the training positives can be drawn it stays at chance
 * (recommendation-quality.md §1 asks for at most 0.13).
 *
 * @param rounds draws a person: `rounds` times four for each positive.
 */
export function neverNegativeScorer(train: TrainingRows, sampler: NegativeSampler, rounds: number, random: SeededRandom): Recommender {
  const NEGATIVES_PER_POSITIVE = 4;
  return {
    score(user) {
      const positives = new Set(train.values.subarray(train.offsets[user], train.offsets[user + 1]));
      const stream = random.fork('negatives', user);
      const drawn = new Float32Array(train.items);
      for (let draw = 0; draw < rounds * NEGATIVES_PER_POSITIVE * positives.size; draw++) {
        const item = sampler(user, positives, stream);
        drawn[item] = (drawn[item] as number) + 1;
      }
      // Random order among equals: without it, ties would hide a leak.
      return drawn.map((count) => -Math.min(count, 1) + stream.float() / 2);
    },
  };
}

/** Uniform over everything outside the training positives, so the held-out item can be drawn. */
export function uniformNegatives(items: number): NegativeSampler {
  return (_user, positives, random) => {
    let item = random.int(items);
    while (positives.has(item)) item = random.int(items);
    return item;
  };
}
