import { UsageError } from '@tutti/base';

/** Rényi differential privacy at integer orders, for add-or-remove neighbours (differential-privacy.md). */

/** Orders that are tried: the reference grid. */
export const DEFAULT_ORDERS: readonly number[] = Array.from({ length: 255 }, (_, i) => i + 2);

/** RDP of one release at an order. */
export type Rdp = (order: number) => number;

/** Gaussian with noise multiplier z: α / (2z²). */
export function gaussianRdp(noiseMultiplier: number): Rdp {
  return (order) => order / (2 * noiseMultiplier * noiseMultiplier);
}

/**
 * Skellam noise of variance µ on an integer vector of sensitivities D1 and D2 (Agarwal et al. 2021):
 * α·D2²/(2µ) + min(((2α−1)·D2² + 6·D1)/(4µ²), 3·D1/(2µ)).
 */
export function skellamRdp(options: { l1: number; l2: number; variance: number }): Rdp {
  const { l1, l2, variance } = options;
  const square = l2 * l2;
  return (order) =>
    (order * square) / (2 * variance) +
    Math.min(((2 * order - 1) * square + 6 * l1) / (4 * variance * variance), (3 * l1) / (2 * variance));
}

/** Tree aggregation: one tree of `steps`, α·depth/(2z²), depth = ⌊log₂ steps⌋ + 1. */
export function treeRdp(noiseMultiplier: number, steps: number): Rdp {
  const depth = Math.floor(Math.log2(steps)) + 1;
  return (order) => (order * depth) / (2 * noiseMultiplier * noiseMultiplier);
}

/**
 * Poisson subsampling at rate q, integer orders, any mechanism (Zhu & Wang 2019; differential-privacy.md):
 * 1/(α−1) · log[(1−q)^(α−1)·(1+(α−1)q) + Σ_{l=2..α} C(α,l)(1−q)^(α−l) q^l exp((l−1)·rdp(l))].
 */
export function subsampledRdp(rdp: Rdp, sampling: number): Rdp {
  if (!(sampling > 0 && sampling <= 1))
    throw new UsageError(`a sampling rate of ${sampling}; above 0, at most 1 is needed`);
  if (sampling === 1) return rdp;
  const logQ = Math.log(sampling);
  const logRest = Math.log1p(-sampling);
  return (order) => {
    const terms = [(order - 1) * logRest + Math.log1p((order - 1) * sampling)];
    let logChoose = Math.log(order);
    for (let l = 2; l <= order; l++) {
      logChoose += Math.log(order - l + 1) - Math.log(l);
      terms.push(logChoose + (order - l) * logRest + l * logQ + (l - 1) * rdp(l));
    }
    return logSumExp(terms) / (order - 1);
  };
}

function logSumExp(terms: readonly number[]): number {
  const largest = Math.max(...terms);
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}

/** ε at δ, and the order that gives it: rdp + log1p(−1/α) − log(δ·α)/(α−1), least over the orders, never below 0. */
export function rdpToEpsilon(
  rdp: Rdp,
  dpDelta: number,
  orders: readonly number[] = DEFAULT_ORDERS,
): { epsilon: number; order: number } {
  if (!(dpDelta > 0 && dpDelta < 1)) throw new UsageError(`δ is ${dpDelta}; between 0 and 1 is needed`);
  let best = { epsilon: Number.POSITIVE_INFINITY, order: 2 };
  for (const order of orders) {
    const epsilon = Math.max(
      0,
      rdp(order) + Math.log1p(-1 / order) - Math.log(dpDelta * order) / (order - 1),
    );
    if (epsilon < best.epsilon) best = { epsilon, order };
  }
  return best;
}

/** The sum of RDPs: what several releases cost together. */
export function composeRdp(parts: readonly { readonly rdp: Rdp; readonly times: number }[]): Rdp {
  return (order) => parts.reduce((sum, { rdp, times }) => sum + times * rdp(order), 0);
}

/**
 * Least noise multiplier whose ε at δ is at most `epsilon` over `rounds` releases at `sampling`, by RDP.
 * @returns z to 1e-6.
 */
export function calibrateNoiseMultiplier(options: {
  epsilon: number;
  dpDelta: number;
  rounds: number;
  sampling: number;
}): number {
  const { epsilon, dpDelta, rounds, sampling } = options;
  if (!(epsilon > 0)) throw new UsageError(`ε is ${epsilon}; above 0 is needed`);
  const spent = (z: number): number =>
    rdpToEpsilon(composeRdp([{ rdp: subsampledRdp(gaussianRdp(z), sampling), times: rounds }]), dpDelta)
      .epsilon;
  let low = 1e-3;
  let high = 1;
  while (spent(high) > epsilon) {
    high *= 2;
    if (high > 1e7) throw new UsageError(`no noise reaches ε = ${epsilon} at δ = ${dpDelta}`);
  }
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (spent(middle) > epsilon) low = middle;
    else high = middle;
  }
  return high;
}

/** Sensitivity after conditional stochastic rounding: min(c + √d, √(c² + d/4 + √(2 ln 1/β)·(c + √d/2))). */
export function roundedSensitivity(scaledClip: number, dimension: number, logInverseBeta = 0.5): number {
  const root = Math.sqrt(dimension);
  return Math.min(
    scaledClip + root,
    Math.sqrt(
      scaledClip * scaledClip + dimension / 4 + Math.sqrt(2 * logInverseBeta) * (scaledClip + root / 2),
    ),
  );
}
