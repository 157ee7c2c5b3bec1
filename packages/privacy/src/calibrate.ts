import { checkCount, checkDpDelta, checkPositive, checkSampling } from './checks.ts';
import { leastThatHolds } from './gaussian.ts';
import { composeRdp, gaussianRdp, rdpToEpsilon, subsampledRdp } from './rdp.ts';

/** What a noise multiplier is sought for. */
export interface CalibrationTarget {
  /** ε > 0 that may be spent. */
  readonly epsilon: number;
  /** δ in (0, 1). */
  readonly dpDelta: number;
  /** Releases that one user's data may go into, a whole number from 1. */
  readonly rounds: number;
  /** q in (0, 1], chance to be asked; 1 where sampling is not Poisson and secret. */
  readonly sampling: number;
}

/** Relative width of the answer. */
const TOLERANCE = 1e-7;

/**
 * The least noise multiplier z whose ε, by RDP at the integer orders 2 .. 256, is at most the target: from above, to 1e-7
 * of it. For Gaussian noise; fine Skellam noise costs the same to a few parts in a thousand, and is accounted as what it is.
 *
 * @throws {UsageError} for a target outside its ranges, or one that no noise multiplier up to 1e9 reaches.
 */
export function calibrateNoiseMultiplier(target: CalibrationTarget): number {
  const { epsilon, dpDelta, rounds, sampling } = target;
  checkPositive('ε', epsilon);
  checkDpDelta(dpDelta);
  checkCount('rounds', rounds);
  checkSampling(sampling);
  const enough = (z: number): boolean => {
    const rdp = composeRdp([{ rdp: subsampledRdp(gaussianRdp(z), sampling), times: rounds }]);
    return rdpToEpsilon(rdp, dpDelta).epsilon <= epsilon;
  };
  return leastThatHolds(enough, TOLERANCE);
}
