import type { DataFacts } from './config.ts';
import { isFactorization } from './is-factorization.ts';
import type { ModelConfig } from './types.ts';

/** The server's side of training that suits a family. */
export interface RecommendedTraining {
  readonly strategy: RecommendedStrategy;
  /** L2 norm that each model delta is scaled down to. */
  readonly clippingNorm: number;
}

/**
 * Noise of the sum that is on unless another is asked for, over the clipping norm: enough that rows of the item table cannot be told apart
 * by person (`tutti audit` measures it, at the smallest sum that is ever released), far too little for a guarantee. Neural families move
 * few rows far, and those of one person alike, so they need more; of neumf, whose clipping norm is twice that of the others, half the share.
 */
export function defaultNoiseMultiplier(family: ModelConfig['family']): number {
  if (family === 'mf' || family === 'content') return 0.03;
  return family === 'neumf' ? 0.04 : 0.08;
}

/** FedAdam with all its numbers. */
export interface RecommendedStrategy {
  readonly name: 'fedadam';
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly tau: number;
  readonly decayRounds: number;
  readonly weightDecay: number;
}

/** C of the neural families: item rows of two towers move further. */
const TOWER_CLIP = 8;
const NEUMF_CLIP = 16;

/** Server step of the factorisations: long at first, and half as long after some rounds, when only sampling moves the rows (bench/results.md). */
const FACTOR_RATE = 0.03;
const FACTOR_DECAY_ROUNDS = 30;

/** Server step of the neural families without noise, and what its product with the noise of a coordinate's mean may be. */
const TOWER_RATE = 0.35;
const TOWER_RATE_TIMES_NOISE = 1e-3;

/**
 * Strategy and clipping norm found by experiment (bench/results.md); the pull λ·a0 of matrix factorisation is the server's.
 * @param noiseStddev deviation of the noise of a coordinate of the mean update, z·C over the cohort: the more of it, the shorter are the
 *   steps of the neural families.
 */
export function recommended(config: ModelConfig, facts: DataFacts, noiseStddev = 0): RecommendedTraining {
  const adam = { name: 'fedadam', beta1: 0.9, beta2: 0.99, tau: 1e-8 } as const;
  if (isFactorization(config)) {
    // The pull on a row, for each person: λ·a0; of ratings λ, for those who gave one.
    const rated = config.family === 'mf' && config.loss === 'mse' ? facts.meanHistory / facts.items : 0;
    const weightDecay = config.regularization * (config.unobservedWeight + rated);
    return {
      strategy: { ...adam, learningRate: FACTOR_RATE, decayRounds: FACTOR_DECAY_ROUNDS, weightDecay },
      clippingNorm: 2 * Math.sqrt(Math.max(4, facts.meanHistory)),
    };
  }
  // τ keeps coordinates that only noise moves from taking whole steps.
  const learningRate = Math.min(TOWER_RATE, TOWER_RATE_TIMES_NOISE / noiseStddev);
  const strategy = { ...adam, beta1: 0.5, tau: 0.05, learningRate, decayRounds: 0, weightDecay: 0 };
  return { strategy, clippingNorm: config.family === 'neumf' ? NEUMF_CLIP : TOWER_CLIP };
}

/** Clipping norm under differential privacy over the root of a mean history: a third to a half of the updates are shortened. */
const PRIVATE_CLIP = 0.16;

/** τ over the deviation of the noise of a coordinate's mean: Adam then steps as far as a coordinate's signal rises above its noise. */
const PRIVATE_TAU = 0.6;

/** Step of the neural families under noise. */
const PRIVATE_TOWER_RATE = 0.2;

/** Numbers for matrix factorisation under differential privacy, where a few rounds of everybody are the best use of a budget. */
export const PRIVATE_ROUNDS = 30;
export const PRIVATE_DIMENSION = 32;

/** The clipping norm under noise that is enough for a guarantee: noise grows with it, so it is far below what training alone would want. */
export function privateClippingNorm(config: ModelConfig, facts: DataFacts): number {
  return isFactorization(config)
    ? PRIVATE_CLIP * Math.sqrt(Math.max(4, facts.meanHistory))
    : recommended(config, facts).clippingNorm;
}

/**
 * Strategy under noise that is enough for a guarantee, found by experiment (bench/results.md).
 * @param noiseStddev deviation of the noise of a coordinate of the mean update, in the units of the weights: z·C over the cohort.
 */
export function privateStrategy(
  config: ModelConfig,
  facts: DataFacts,
  noiseStddev: number,
): RecommendedStrategy {
  const { strategy } = recommended(config, facts);
  if (!isFactorization(config))
    return {
      ...strategy,
      learningRate: PRIVATE_TOWER_RATE,
      tau: Math.min(1, Math.max(strategy.tau, noiseStddev)),
    };
  const tau = Math.min(1, Math.max(strategy.tau, PRIVATE_TAU * noiseStddev));
  return { ...strategy, learningRate: 0.05, decayRounds: 0, beta1: 0.8, tau };
}

/**
 * Strategy for noise that cancels in a sum of updates: momentum, whose model is a sum of them.
 * @see Kairouz et al., Practical and Private (Deep) Learning Without Sampling or Shuffling, ICML 2021: DP-FTRL with momentum.
 */
export function summingStrategy(
  config: ModelConfig,
  facts: DataFacts,
): Pick<RecommendedStrategy, 'learningRate' | 'beta1' | 'weightDecay'> & { readonly name: 'fedavgm' } {
  const { weightDecay } = recommended(config, facts).strategy;
  return { name: 'fedavgm', beta1: 0.9, learningRate: isFactorization(config) ? 2 : 0.1, weightDecay };
}
