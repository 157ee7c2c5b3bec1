import type { FactorizationConfig, ModelConfig } from './types.ts';

/** Whether a family's score is the product of the person's and the item's vector. */
export const isFactorization = (config: ModelConfig): config is FactorizationConfig =>
  config.family === 'mf' || config.family === 'content';
