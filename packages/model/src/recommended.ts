import type { DataFacts } from './config.ts';
import type { ModelConfig } from './types.ts';

/** The server's side of training that suits a family. */
export interface RecommendedTraining {
  readonly strategy: {
    readonly name: 'fedadam';
    readonly learningRate: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly tau: number;
    readonly weightDecay: number;
  };
  /** L2 norm that each model delta is scaled down to. */
  readonly clippingNorm: number;
}

/** Strategy and clipping norm found by experiment (bench/results.md); the pull λ·a0 of matrix factorisation is the server's. */
export function recommended(config: ModelConfig, facts: DataFacts): RecommendedTraining {
  const adam = { name: 'fedadam', beta1: 0.9, beta2: 0.99, tau: 1e-8 } as const;
  if (config.family === 'mf') {
    const weightDecay = config.regularization * config.unobservedWeight;
    return {
      strategy: { ...adam, learningRate: 0.02, weightDecay },
      clippingNorm: 2 * Math.sqrt(Math.max(4, facts.meanHistory)),
    };
  }
  // τ keeps coordinates that only noise moves from taking whole steps.
  const strategy = { ...adam, beta1: 0.5, tau: 0.05, learningRate: 0.2, weightDecay: 0 };
  return { strategy, clippingNorm: 8 };
}
