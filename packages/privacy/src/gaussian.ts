import { UsageError } from '@tutti/base';
import { checkDpDelta, checkPositive } from './checks.ts';
import { normalCdf, scaledErfc } from './normal.ts';

/**
 * The least δ at which one Gaussian release of sensitivity 1 is (ε, δ)-private: Φ(1/2σ − εσ) − e^ε·Φ(−1/2σ − εσ).
 *
 * @param sigma σ > 0, standard deviation over sensitivity: the noise multiplier; k releases at z are one at z/√k.
 * @param epsilon ε ≥ 0.
 * @throws {UsageError} for values outside these ranges.
 * @see Balle & Wang, Improving the Gaussian Mechanism for Differential Privacy, ICML 2018, Theorem 8.
 */
export function analyticGaussianDelta(sigma: number, epsilon: number): number {
  checkPositive('σ', sigma);
  if (!(epsilon >= 0)) throw new UsageError(`ε is ${epsilon}; a number from 0 is needed`);
  const near = 1 / (2 * sigma) - epsilon * sigma;
  const far = -1 / (2 * sigma) - epsilon * sigma;
  // e^ε·e^(−far²/2) = e^(−near²/2), which takes the overflow out of the second term.
  const weight = 0.5 * Math.exp((-near * near) / 2);
  const second = scaledErfc(-far / Math.SQRT2);
  if (near >= 0) return Math.max(0, normalCdf(near) - weight * second);
  return Math.max(0, weight * (scaledErfc(-near / Math.SQRT2) - second));
}

/**
 * The least ε at which one Gaussian release of noise multiplier σ is (ε, δ)-private; exact to about 1e-12 of it.
 * @throws {UsageError} unless σ is finite and above 0 and δ in (0, 1).
 */
export function analyticGaussianEpsilon(sigma: number, dpDelta: number): number {
  checkPositive('σ', sigma);
  checkDpDelta(dpDelta);
  const enough = (epsilon: number): boolean => analyticGaussianDelta(sigma, epsilon) <= dpDelta;
  return enough(0) ? 0 : leastThatHolds(enough);
}

/**
 * The least noise multiplier σ at which one Gaussian release is (ε, δ)-private.
 * @throws {UsageError} unless ε is finite and above 0 and δ in (0, 1).
 */
export function analyticGaussianSigma(epsilon: number, dpDelta: number): number {
  checkPositive('ε', epsilon);
  checkDpDelta(dpDelta);
  return leastThatHolds((sigma) => analyticGaussianDelta(sigma, epsilon) <= dpDelta);
}

/** The least positive number at which `holds`, which stays true from there on: bracketed by doubling, then halved. */
export function leastThatHolds(holds: (value: number) => boolean, tolerance = 1e-15): number {
  let high = 1;
  while (!holds(high)) {
    high *= 2;
    if (high > 1e9) throw new UsageError('no value up to 1e9 is enough');
  }
  let low = high / 2;
  while (low > 1e-9 && holds(low)) {
    high = low;
    low /= 2;
  }
  while (high - low > tolerance * high) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
