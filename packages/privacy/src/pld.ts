import { checkCount, checkDpDelta, checkPositive, checkSampling } from './checks.ts';
import { fourierInPlace } from './fft.ts';
import { analyticGaussianEpsilon } from './gaussian.ts';
import { normalCdf } from './normal.ts';
import { composeRdp, gaussianRdp, rdpToEpsilon, subsampledRdp } from './rdp.ts';

/** Rounds of Gaussian noise under Poisson sampling. */
export interface SampledGaussian {
  /** z > 0: standard deviation of the sum's noise over C. */
  readonly noiseMultiplier: number;
  /** q in (0, 1]: the chance of being asked, Poisson and secret. */
  readonly sampling: number;
  /** Releases, a whole number from 1. */
  readonly rounds: number;
}

/** Masses of the privacy loss at (first + i)·width, and at infinity. */
interface LossDistribution {
  readonly width: number;
  readonly first: number;
  readonly masses: Float64Array;
  readonly infinite: number;
}

/** Distance of grid points while the window has at most MOST_POINTS of them. */
const FINEST_WIDTH = 1e-4;
const MOST_POINTS = 2 ** 20;

/** What is left out above a window, as a share of δ; it is added to δ. */
const TAIL_SHARE = 1e-7;

/**
 * ε at δ by the privacy loss distribution: the larger of both directions (a user added, a user removed), never above RDP.
 *
 * Pessimistic: the discretised loss dominates the true one (connect the dots), truncated tails are added to δ. The rounding
 * of float64 in the transform, below about 1e-11 in δ, mostly adds to δ too but is not bounded by proof: at δ below 1e-9 the
 * answer is close to RDP's or RDP's own. 0.2 to 1 s.
 *
 * @returns ε; where q = 1 the analytic Gaussian value.
 * @throws {UsageError} for values out of range.
 * @see Koskela, Jälkö & Honkela, Computing Tight Differential Privacy Guarantees Using FFT, AISTATS 2020; Doroshenko et
 *   al., Connect the Dots: Tighter Discrete Approximations of Privacy Loss Distributions, PoPETs 2022.
 */
export function pldEpsilon(mechanism: SampledGaussian, dpDelta: number): number {
  const { noiseMultiplier, sampling, rounds } = mechanism;
  checkPositive('noise multiplier', noiseMultiplier);
  checkSampling(sampling);
  checkCount('rounds', rounds);
  checkDpDelta(dpDelta);
  if (sampling === 1) return analyticGaussianEpsilon(noiseMultiplier / Math.sqrt(rounds), dpDelta);
  const rdp = composeRdp([{ rdp: subsampledRdp(gaussianRdp(noiseMultiplier), sampling), times: rounds }]);
  const bound = rdpToEpsilon(rdp, dpDelta).epsilon;
  const [removed, added] = [removedDelta, addedDelta].map((curve) =>
    epsilonOfCurve((epsilon) => curve(epsilon, mechanism), rounds, dpDelta),
  ) as [number, number];
  const epsilon = Math.max(removed, added);
  return Number.isNaN(epsilon) ? bound : Math.min(epsilon, bound);
}

/** δ(ε) of one round, with the user's data in the first of the two laws. */
function removedDelta(epsilon: number, { noiseMultiplier: z, sampling: q }: SampledGaussian): number {
  const odds = Math.expm1(epsilon) + q;
  if (odds <= 0) return -Math.expm1(epsilon);
  const x = z * z * Math.log(odds / q) + 0.5;
  return Math.max(0, q * normalCdf((1 - x) / z) - odds * normalCdf(-x / z));
}

/** δ(ε) of one round, with the user's data in the second of the two laws. */
function addedDelta(epsilon: number, { noiseMultiplier: z, sampling: q }: SampledGaussian): number {
  const odds = Math.expm1(-epsilon) + q;
  if (odds <= 0) return 0;
  const x = z * z * Math.log(odds / q) + 0.5;
  return Math.max(0, Math.exp(epsilon) * (odds * normalCdf(x / z) - q * normalCdf((x - 1) / z)));
}

type Curve = (epsilon: number) => number;

/** NaN where the loss is too large for float64. */
function epsilonOfCurve(curve: Curve, rounds: number, dpDelta: number): number {
  const tail = TAIL_SHARE * dpDelta;
  for (let width = FINEST_WIDTH; width < 1; width *= 2) {
    const range = rangeOf(curve, width, tail / rounds);
    if (range.last - range.first > MOST_POINTS) continue;
    // Masses go by e^ε: one that is 0 or infinite in float64 is so at every width.
    if (Math.exp(range.first * width) === 0 || Math.exp(range.last * width) === Infinity) return Number.NaN;
    const single = discretise(curve, width, range);
    const window = windowOf(single, rounds, tail);
    if (!((window.high - window.low) / width <= MOST_POINTS)) continue;
    return epsilonOf(compose(single, rounds, window), dpDelta - 2 * tail);
  }
  return Number.NaN;
}

/** Grid points beyond which δ(ε) is within `tail` of 0, or of 1 − e^ε, which it is for ε → −∞. */
function rangeOf(curve: Curve, width: number, tail: number): { first: number; last: number } {
  let [first, last] = [-1, 1];
  while (curve(last * width) > tail) last = Math.ceil(last * 1.25);
  while (curve(first * width) + Math.expm1(first * width) > tail) first = Math.floor(first * 1.25);
  return { first, last };
}

/**
 * The discrete loss whose δ(ε), a broken line in e^ε, meets the true one at every grid point: convexity puts it above
 * everywhere else. Slopes between the points give the masses.
 */
function discretise(
  curve: Curve,
  width: number,
  { first, last }: { first: number; last: number },
): LossDistribution {
  const masses = new Float64Array(last - first + 1);
  let here = curve(first * width);
  // The line from (0, 1) to the first point carries what lies below it.
  let slope = (here - 1) / Math.exp(first * width);
  for (let i = first; i <= last; i++) {
    const x = Math.exp(i * width);
    const after = i === last ? here : curve((i + 1) * width);
    const next = (after - here) / (x * Math.expm1(width));
    masses[i - first] = Math.max(0, (next - slope) * x);
    [slope, here] = [next, after];
  }
  return { width, first, masses, infinite: here };
}

/** Losses that the sum of `rounds` keeps to but for a chance of `tail` on each side (Chernoff over a few exponents). */
function windowOf(
  { width, first, masses }: LossDistribution,
  rounds: number,
  tail: number,
): { low: number; high: number } {
  let [low, high] = [rounds * first * width, rounds * (first + masses.length) * width];
  for (let exponent = 2 ** -6; exponent <= 2 ** 10; exponent *= Math.SQRT2) {
    for (const t of [exponent, -exponent]) {
      const peak = t * width * (t > 0 ? first + masses.length : first);
      let moment = 0;
      for (let i = 0; i < masses.length; i++)
        moment += (masses[i] as number) * Math.exp(t * width * (first + i) - peak);
      const bound = (rounds * (Math.log(moment) + peak) - Math.log(tail)) / t;
      if (t > 0) high = Math.min(high, bound);
      else low = Math.max(low, bound);
    }
  }
  return { low: Math.floor(low / width) * width, high };
}

/** The loss of `rounds` rounds: transform, power, transform back; the window is one period of the transform. */
function compose(
  { width, first, masses, infinite }: LossDistribution,
  rounds: number,
  { low, high }: { low: number; high: number },
): LossDistribution {
  const from = Math.round(low / width);
  let size = 2;
  while (size < (high - low) / width + 2) size *= 2;
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  for (let i = 0; i < masses.length; i++) {
    const at = (((first + i) % size) + size) % size;
    re[at] = (re[at] as number) + (masses[i] as number);
  }
  fourierInPlace(re, im, -1);
  for (let k = 0; k < size; k++) {
    const radius = Math.hypot(re[k] as number, im[k] as number) ** rounds / size;
    const angle = Math.atan2(im[k] as number, re[k] as number) * rounds;
    re[k] = radius * Math.cos(angle);
    im[k] = radius * Math.sin(angle);
  }
  fourierInPlace(re, im, 1);
  const shifted = Float64Array.from(re, (_, i) =>
    Math.max(0, re[(((from + i) % size) + size) % size] as number),
  );
  return { width, first: from, masses: shifted, infinite: -Math.expm1(rounds * Math.log1p(-infinite)) };
}

/** The least ε at which Σ mass·(1 − e^(ε − loss)) over the losses above ε, and what is infinite, is at most δ. */
function epsilonOf({ width, first, masses, infinite }: LossDistribution, dpDelta: number): number {
  let above = infinite; // mass of the losses above ε
  let weighted = 0; // Σ mass·e^(−loss + reference) over them, relative to the grid point in hand
  for (let i = masses.length - 1; i >= 0; i--) {
    const mass = masses[i] as number;
    weighted = weighted * Math.exp(-width) + mass;
    above += mass;
    // At this point's loss less one width: δ = above − weighted·e^(−width).
    if (above - weighted * Math.exp(-width) <= dpDelta) continue;
    const loss = (first + i) * width;
    // Between the two points: above − weighted·e^(ε − loss) = δ.
    return Math.max(0, loss + Math.log((above - dpDelta) / weighted));
  }
  return 0;
}
