import { checkCount, checkDpDelta, checkPositive, checkSampling } from './checks.ts';
import { analyticGaussianSigma, leastThatHolds } from './gaussian.ts';
import { pldEpsilon } from './pld.ts';
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
  /**
   * `rdp` (default) counts as the ledger does, at integer orders; `pld` finds less noise, for what is accounted by
   * {@link pldEpsilon}.
   */
  readonly accountant?: 'rdp' | 'pld';
}

/** Relative width of the answer by RDP, and by PLD. */
const TOLERANCE = 1e-7;
const PLD_TOLERANCE = 2e-6;

/**
 * The least noise multiplier z whose ε is at most the target: from above, to 1e-7 of it by RDP at the integer orders
 * 2 .. 256 (fast), to about 1e-5 by PLD (some seconds). For Gaussian noise; fine Skellam noise costs the same to a few parts in a thousand, and is accounted as what it is.
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
  const byRdp = leastThatHolds(enough, TOLERANCE);
  return target.accountant === 'pld' ? refineByPld(target, byRdp) : byRdp;
}

/** Secant steps on log ε over log z, nearly a line, from the RDP answer; then up until the target is kept. */
function refineByPld({ epsilon, dpDelta, rounds, sampling }: CalibrationTarget, start: number): number {
  if (sampling === 1) return analyticGaussianSigma(epsilon, dpDelta) * Math.sqrt(rounds);
  const excess = (z: number): number =>
    Math.log(pldEpsilon({ noiseMultiplier: z, sampling, rounds }, dpDelta) / epsilon);
  let [before, z] = [start, start * 0.95];
  let [atBefore, at] = [excess(before), excess(z)];
  for (let step = 0; step < 8 && Math.abs(z / before - 1) > PLD_TOLERANCE; step++) {
    const next = z * Math.exp((-at * Math.log(z / before)) / (at - atBefore));
    [before, atBefore, z, at] = [z, at, next, excess(next)];
  }
  for (let margin = PLD_TOLERANCE; at > 0 && z < start; margin *= 2) {
    z *= 1 + margin;
    at = excess(z);
  }
  return Math.min(z, start);
}
