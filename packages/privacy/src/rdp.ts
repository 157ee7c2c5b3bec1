import { UsageError } from '@tutti/base';
import { checkCount, checkDpDelta, checkPositive, checkSampling } from './checks.ts';

/**
 * Rényi differential privacy at an integer order α ≥ 2, for neighbours that differ by one user's whole update, added or
 * removed (differential-privacy.md). A function, so that mechanisms compose by addition.
 */
export type Rdp = (order: number) => number;

/** Orders that are tried: the reference grid, 2 .. 256. */
export const DEFAULT_ORDERS: readonly number[] = Array.from({ length: 255 }, (_, i) => i + 2);

/**
 * One release with Gaussian noise of noise multiplier z (standard deviation of the sum's noise over C): α / (2z²).
 * @throws {UsageError} unless z is finite and above 0.
 * @see Mironov, Rényi Differential Privacy, CSF 2017, Corollary 3.
 */
export function gaussianRdp(noiseMultiplier: number): Rdp {
  checkPositive('noise multiplier', noiseMultiplier);
  return (order) => order / (2 * noiseMultiplier * noiseMultiplier);
}

/**
 * One release with Skellam noise on an integer vector:
 * α·D2²/(2µ) + min(((2α−1)·D2² + 6·D1)/(4µ²), 3·D1/(2µ)).
 *
 * @param options `l1`, `l2`: the sensitivities D1 and D2 in ring units (D1 ≤ min(√d·D2, D2²)); `variance`: µ of the sum's
 *   noise in squared ring units, of the survivors there were.
 * @throws {UsageError} unless all three are finite and above 0.
 * @see Agarwal, Kairouz & Liu, The Skellam Mechanism for Differentially Private Federated Learning, NeurIPS 2021.
 */
export function skellamRdp(options: {
  readonly l1: number;
  readonly l2: number;
  readonly variance: number;
}): Rdp {
  const { l1, l2, variance } = options;
  for (const [name, value] of Object.entries({ l1, l2, variance })) checkPositive(name, value);
  const square = l2 * l2;
  return (order) =>
    (order * square) / (2 * variance) +
    Math.min(((2 * order - 1) * square + 6 * l1) / (4 * variance * variance), (3 * l1) / (2 * variance));
}

/**
 * One tree of tree aggregation, in which each user takes part at most once: α·depth/(2z²), depth = ⌊log₂ steps⌋ + 1.
 * Restarted trees add up.
 *
 * @param noiseMultiplier z of each node: standard deviation over C.
 * @param steps releases of the tree, a whole number from 1.
 * @throws {UsageError} for values outside these ranges.
 * @see Kairouz et al., Practical and Private (Deep) Learning without Sampling or Shuffling, ICML 2021.
 */
export function treeRdp(noiseMultiplier: number, steps: number): Rdp {
  checkPositive('noise multiplier', noiseMultiplier);
  checkCount('steps', steps);
  let depth = 0;
  for (let rest = steps; rest >= 1; rest /= 2) depth++;
  return (order) => (order * depth) / (2 * noiseMultiplier * noiseMultiplier);
}

/**
 * Poisson subsampling at rate q of any mechanism with RDP e(·), at integer orders:
 * 1/(α−1) · log[(1−q)^(α−1)·(1+(α−1)q) + Σ_{l=2..α} C(α,l)(1−q)^(α−l) q^l exp((l−1)·e(l))].
 *
 * Only where each user is asked independently with chance q, and no one learns who was: a cohort of fixed size is no
 * Poisson sample.
 *
 * @param sampling q in (0, 1]; 1 gives `rdp` itself.
 * @throws {UsageError} unless q lies in (0, 1]; the function that is returned, for an order that is no integer from 2.
 * @see Zhu & Wang, Poisson Subsampled Rényi Differential Privacy, ICML 2019.
 */
export function subsampledRdp(rdp: Rdp, sampling: number): Rdp {
  checkSampling(sampling);
  if (sampling === 1) return rdp;
  const logQ = Math.log(sampling);
  const logRest = Math.log1p(-sampling);
  return (order) => {
    if (!(Number.isInteger(order) && order >= 2))
      throw new UsageError(`order ${order}: amplification holds at whole orders from 2`);
    const least = (order - 1) * logRest + Math.log1p((order - 1) * sampling);
    const terms = [least];
    let logChoose = Math.log(order);
    for (let l = 2; l <= order; l++) {
      logChoose += Math.log((order - l + 1) / l);
      terms.push(logChoose + (order - l) * logRest + l * logQ + (l - 1) * rdp(l));
    }
    return logOfSum(terms) / (order - 1);
  };
}

/** log Σ exp(term), of which the first alone is nearly 1: what it lacks is kept, or small amplifications would drown. */
function logOfSum(terms: readonly number[]): number {
  const largest = Math.max(...terms);
  if (largest > 0) {
    return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
  }
  const [first = 0, ...rest] = terms;
  return Math.log1p(rest.reduce((sum, term) => sum + Math.exp(term), Math.expm1(first)));
}

/** What several releases cost together: the sum of their RDPs, each `times` over. */
export function composeRdp(parts: readonly { readonly rdp: Rdp; readonly times: number }[]): Rdp {
  return (order) => parts.reduce((sum, { rdp, times }) => sum + times * rdp(order), 0);
}

/**
 * ε at δ, and the order that gives it: rdp + log1p(−1/α) − log(δ·α)/(α−1), least over the orders, never below 0. An order
 * at which the RDP is not finite is skipped; ε is infinite where all are.
 *
 * @throws {UsageError} unless δ lies in (0, 1).
 * @see Canonne, Kamath & Steinke, The Discrete Gaussian for Differential Privacy, NeurIPS 2020, Proposition 12.
 */
export function rdpToEpsilon(
  rdp: Rdp,
  dpDelta: number,
  orders: readonly number[] = DEFAULT_ORDERS,
): { epsilon: number; order: number } {
  checkDpDelta(dpDelta);
  let best = { epsilon: Number.POSITIVE_INFINITY, order: orders[0] ?? 2 };
  for (const order of orders) {
    const epsilon = rdp(order) + Math.log1p(-1 / order) - Math.log(dpDelta * order) / (order - 1);
    if (epsilon < best.epsilon) best = { epsilon: Math.max(0, epsilon), order };
  }
  return best;
}

/**
 * Sensitivity after conditional stochastic rounding of a vector of norm c in ring units:
 * min(c + √d, √(c² + d/4 + √(2 ln 1/β)·(c + √d/2))).
 *
 * It is a bound only where the rounding is repeated until the norm keeps to it (aggregation's `roundedNorm`).
 *
 * @param logInverseBeta ln 1/β ≥ 0; the default is β = e^−0.5. Infinite leaves c + √d, which every rounding keeps to.
 * @see Kairouz, Liu & Steinke, The Distributed Discrete Gaussian Mechanism, ICML 2021.
 */
export function roundedSensitivity(scaledClip: number, dimension: number, logInverseBeta = 0.5): number {
  checkPositive('scaled clipping norm', scaledClip);
  checkCount('dimension', dimension);
  const root = Math.sqrt(dimension);
  const spread = Math.sqrt(2 * logInverseBeta) * (scaledClip + root / 2);
  return Math.min(scaledClip + root, Math.sqrt(scaledClip * scaledClip + dimension / 4 + spread));
}
