import type { CorrelatedNoise, Participation } from './correlated.ts';

/**
 * One release that users' data went into, accounted with the noise of the survivors there were, less the assumed
 * colluders. `sampling` is q, the chance of being asked, where each user is asked independently and nobody learns who was;
 * null everywhere else: a cohort of fixed size, volunteers, a coordinator that readers may not trust to keep it secret.
 */
export type Release =
  | {
      readonly mechanism: 'gaussian';
      /** z: standard deviation of the sum's noise over C. */
      readonly noiseMultiplier: number;
      readonly sampling: number | null;
      /** The coordinator added the noise, and saw the sum without it: nothing holds against it. */
      readonly trusted?: true;
    }
  | {
      readonly mechanism: 'skellam';
      /** D1 and D2 after rounding, in ring units. */
      readonly l1: number;
      readonly l2: number;
      /** Variance of the noise of the sum that the coordinator sees, that of one group, in squared ring units. */
      readonly variance: number;
      /** The same of what readers see, where that is the sum of several groups. */
      readonly readersVariance?: number;
      readonly sampling: number | null;
    };

/** Rounds whose noise is correlated: one mechanism over all of them, accounted as a whole. */
export interface CorrelatedRelease {
  readonly noise: CorrelatedNoise;
  /** z of each draw: standard deviation over C. */
  readonly noiseMultiplier: number;
  readonly participation: Participation;
  readonly trusted?: true;
}

/** Every release of a task. A plain value: it can be written as JSON and read back. */
export interface Ledger {
  /** Most rounds that one user takes part in, where clients keep to one; null where they do not. */
  readonly participationCap: number | null;
  /** What a round released, and how many rounds released just that. */
  readonly rounds: readonly { readonly releases: readonly Release[]; readonly times: number }[];
  /** What rounds released with correlated noise, and how many of them. */
  readonly correlated: readonly { readonly release: CorrelatedRelease; readonly rounds: number }[];
}
