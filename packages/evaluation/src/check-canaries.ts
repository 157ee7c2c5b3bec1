import type { SeededRandom } from '@tutti/base';
import { constantScorer, neverNegativeScorer, randomScorer, type NegativeSampler } from './canaries.ts';
import type { HeldOutItems } from './evaluate.ts';
import { negativesOf, positiveOf } from './people.ts';
import { rankHeldOut } from './rank.ts';
import { historyOf, type Recommender, type TrainingRows } from './references/recommender.ts';

/** What a canary scored, and what it may score. */
export interface Canary {
  readonly hr: number;
  readonly allowed: readonly [least: number, most: number];
  readonly passed: boolean;
}

/** The canaries of one evaluation. */
export interface CanaryReport {
  /** People whom canaries were tried on: those with a held-out item and at least one other candidate. */
  readonly people: number;
  /** Of them those who have so few candidates that a list of k holds every one; a list one short of all is judged in its place. */
  readonly shortened: number;
  /** The same score for everything: exactly 0, for ties count against the held-out item. */
  readonly constant: Canary;
  /** A guess: k / (candidates + 1), within 4 standard errors. */
  readonly guess: Canary;
  /** Knows what people trained on and nothing else: 0, or held-out items stand among the training interactions. */
  readonly memory: Canary;
  /** Knows which items were never drawn as training negatives: at chance, or the sampler never draws the held-out item. */
  readonly sampler: Canary;
  readonly passed: boolean;
}

/** What canaries are let loose on. */
export interface CanaryOptions {
  readonly train: TrainingRows;
  readonly test: HeldOutItems;
  /** The sampler that training uses. */
  readonly sampler: NegativeSampler;
  readonly random: SeededRandom;
  readonly k?: number;
}

/** Draws of the sampler for each item and person: a hundredth of what can be drawn is then left over by chance. */
const DRAWS_PER_ITEM = 4.6;

/** Draws in all that the sampler's canary may take: about a second. */
const MOST_DRAWS = 3e7;

/** What the sampler's canary may score above chance (recommendation-quality §1: 0.13 among 100 candidates). */
const SAMPLER_MARGIN = 0.03;

/**
 * Runs every canary on the data and the sampler of an evaluation. A canary that does not pass means that no figure of this evaluation
 * counts: ties are counted for the model, candidates are missing, or the test leaks into training.
 */
export async function checkCanaries(options: CanaryOptions): Promise<CanaryReport> {
  const { train, test, random, k = 10 } = options;
  const everybody = Int32Array.from(
    Array.from({ length: train.users }, (_, user) => user).filter((user) => othersOf(test, user) > 0),
  );
  const hitRate = (recommender: Recommender, users: Int32Array = everybody): number =>
    hitRateOf(recommender, test, users, k);
  const chance = chanceOf(test, everybody, k);
  const spread = standardError(chance, everybody.length);
  const some = samplerPeople(train, everybody);
  const margin = Math.max(SAMPLER_MARGIN, 4 * standardError(chanceOf(test, some, k), some.length));
  const constant = canary(hitRate(constantScorer(train.items)), 0, 0);
  const guess = canary(
    hitRate(randomScorer(train.items, random.fork('guess'))),
    chance - 4 * spread,
    chance + 4 * spread,
  );
  const memory = canary(hitRate(memoryScorer(train)), 0, 0);
  const sampler = canary(hitRate(samplerCanary(options), some), 0, chanceOf(test, some, k) + margin);
  const passed = [constant, guess, memory, sampler].every((one) => one.passed);
  const shortened = everybody.filter((user) => othersOf(test, user) < k).length;
  return { people: everybody.length, shortened, constant, guess, memory, sampler, passed };
}

/** Candidates beside the held-out item; none for a person without one. */
function othersOf(test: HeldOutItems, user: number): number {
  const positive = positiveOf(test, user);
  return positive < 0 ? 0 : negativesOf(test, user).filter((item) => item !== positive).length;
}

/** How long a list is judged: one that holds every candidate would be a hit whatever its order. */
const lengthFor = (test: HeldOutItems, user: number, k: number): number => Math.min(k, othersOf(test, user));

/** Mean over `users` of whether the held-out item is in the list. */
function hitRateOf({ score }: Recommender, test: HeldOutItems, users: Int32Array, k: number): number {
  let hits = 0;
  for (const user of users) {
    const candidates = { positive: positiveOf(test, user), negatives: negativesOf(test, user) };
    if (rankHeldOut({ scores: score(user), ...candidates }) < lengthFor(test, user, k)) hits++;
  }
  return hits / Math.max(1, users.length);
}

/** Remembers what people trained on: it finds a held-out item only where that stands in their training part. */
export function memoryScorer(train: TrainingRows): Recommender {
  return {
    score(user) {
      const scores = new Float32Array(train.items);
      for (const item of historyOf(train, user)) scores[item] = 1;
      return scores;
    },
  };
}

function canary(hr: number, least: number, most: number): Canary {
  return { hr, allowed: [Math.max(0, least), Math.min(1, most)], passed: hr >= least && hr <= most };
}

/** Expected hit rate of a guess: mean over people of list / candidates, the held-out item among them. */
function chanceOf(test: HeldOutItems, users: Int32Array, k: number): number {
  const chances = Array.from(users, (user) => lengthFor(test, user, k) / (othersOf(test, user) + 1));
  return chances.reduce((sum, chance) => sum + chance, 0) / Math.max(1, chances.length);
}

/** Of the mean of `count` coins (binomial). */
const standardError = (chance: number, count: number): number =>
  Math.sqrt((chance * (1 - chance)) / Math.max(1, count));

/** People with something to draw, as many as the draws allow, evenly spread. */
function samplerPeople(train: TrainingRows, everybody: Int32Array): Int32Array {
  const able = everybody.filter((user) => {
    const { length } = historyOf(train, user);
    return length > 0 && length < train.items;
  });
  const count = Math.min(
    1_000,
    able.length,
    Math.max(30, Math.floor(MOST_DRAWS / (DRAWS_PER_ITEM * train.items))),
  );
  return Int32Array.from({ length: count }, (_, n) => able[Math.floor((n * able.length) / count)] as number);
}

/** {@link neverNegativeScorer} with as many rounds for each person as their row needs. */
function samplerCanary({ train, sampler, random }: CanaryOptions): Recommender {
  return {
    score(user) {
      const drawsPerRound = 4 * historyOf(train, user).length;
      const rounds = Math.ceil((DRAWS_PER_ITEM * train.items) / drawsPerRound);
      return neverNegativeScorer(train, sampler, rounds, random.fork('sampler')).score(user);
    },
  };
}
