import { FederatedError } from '@tutti/base';
import { chooseLaneScale, largestLaneMagnitude, type LaneLayout, type LaneScale } from '@tutti/aggregation';
import type { RoundDescription } from '@tutti/protocol';
import { checkRingBudget, fitsRing, type RingBudget, type WordBits } from '@tutti/secure-aggregation';
import { describeNoise, fitNoise, isNoisy } from './noise-plan.ts';
import type { TaskConfig } from './task-config.ts';

/** Deviations that noise stays within, but for a chance below 1e-14 a lane. */
const NOISE_TAIL_DEVIATIONS = 8;

/** The ring of an attempt: how wide its words are, what a unit of each lane is, and the noise in those units. */
export interface Ring {
  readonly wordBits: WordBits;
  readonly scale: LaneScale;
  readonly noise: RoundDescription['noise'];
  readonly budget: RingBudget;
}

/** What an attempt is for, and how many clients it wants. */
export interface RingFacts {
  readonly purpose: RoundDescription['purpose'];
  readonly planned: number;
}

/**
 * 24 bits a word where there is noise and they cost nothing, 32 otherwise: the delta keeps the scale that its noise asks for
 * (differential-privacy.md), and the budget fits. Without noise, finer rounding is worth the fourth byte.
 * @throws {RingBudgetError} when the largest sum would not fit the ring.
 */
export function chooseRing(config: TaskConfig, facts: RingFacts, lanes: LaneLayout): Ring {
  const { wordBits = 'auto' } = config;
  if (wordBits !== 'auto') return checked(ringOf(config, facts, lanes, wordBits));
  const wide = ringOf(config, facts, lanes, 32);
  if (wide.noise.mechanism === 'none') return checked(wide);
  const packed = ringOf(config, facts, lanes, 24);
  return packed.scale.delta === wide.scale.delta && fitsRing(packed.budget) ? packed : checked(wide);
}

/** Why no attempt of a task could be described, or nothing: asked before the task begins. */
export function ringProblem(config: TaskConfig, lanes: LaneLayout): string | undefined {
  try {
    chooseRing(config, { purpose: 'train', planned: config.cohort.planned }, lanes);
    return undefined;
  } catch (error) {
    if (error instanceof FederatedError) return error.message;
    throw error;
  }
}

function checked(ring: Ring): Ring {
  checkRingBudget(ring.budget);
  return ring;
}

function ringOf(config: TaskConfig, facts: RingFacts, lanes: LaneLayout, wordBits: WordBits): Ring {
  const { purpose, planned } = facts;
  const { deltaLength } = lanes;
  const { clippingNorm } = config;
  const cohort = Math.min(planned, config.cohort.largestGroup);
  const noisy = isNoisy(config) && purpose === 'train';
  const coarsest = chooseLaneScale({ cohort, clippingNorm, noise: noisy, deltaLength, wordBits });
  const scale = fitNoise(config, planned, noisy ? deltaLength : 0, coarsest);
  const noise = describeNoise(config, { purpose, planned }, lanes, scale);
  const budget: RingBudget = {
    cohort,
    largestMagnitude: largestLaneMagnitude(lanes, scale, clippingNorm),
    noiseTail: NOISE_TAIL_DEVIATIONS * spreadOf(noise, cohort),
    wordBits,
  };
  return { wordBits, scale, noise, budget };
}

/** Largest deviation of a lane's noise in the sum of a group; a coordinator adds its own after the ring is left. */
function spreadOf(noise: RoundDescription['noise'], groupSize: number): number {
  if (noise.mechanism !== 'skellam') return 0;
  return Math.sqrt(Math.max(noise.deltaVariance, noise.clipVariance, noise.metricVariance) * groupSize);
}
