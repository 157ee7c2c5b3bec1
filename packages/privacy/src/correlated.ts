import { UsageError } from '@tutti/base';
import { checkCount } from './checks.ts';

/**
 * Noise that is correlated over the rounds of a task, so that most of it cancels in the sum of all updates so far (DP-FTRL). Each
 * round draws one vector of independent noise; what is added to the round's sum is made from that and from earlier draws.
 *
 * * `tree`: the draws are the nodes of a binary tree over the rounds; the sum of the updates up to a round holds the noise of at
 *   most ⌊log₂ steps⌋ + 1 of them.
 * * `banded`: a matrix factorisation A = B·C with C lower triangular, Toeplitz and of few bands. `coefficients` are the whole
 *   numbers k₀ ≥ k₁ ≥ … ≥ 0 of C's first column, in units of 1/k₀.
 */
export type CorrelatedNoise =
  | {
      readonly mechanism: 'tree';
      /** Rounds of one tree; the next round begins another, whose noise is independent. */
      readonly steps: number;
    }
  | {
      readonly mechanism: 'banded';
      readonly steps: number;
      readonly coefficients: readonly number[];
    };

/** How often one user takes part over the whole task, and how far apart. */
export interface Participation {
  /** Most rounds that one user takes part in, a whole number from 1. */
  readonly most: number;
  /** Fewest rounds from one part to the next, a whole number from 1: 1 allows every round. */
  readonly separation: number;
}

/** @throws {UsageError} for steps or coefficients that cannot be. */
export function checkCorrelated(noise: CorrelatedNoise): void {
  checkCount('steps', noise.steps);
  if (noise.mechanism === 'tree') return;
  const { coefficients } = noise;
  const falls = coefficients.every(
    (value, i) =>
      Number.isSafeInteger(value) && value >= 0 && value <= (coefficients[i - 1] ?? MOST_COEFFICIENT),
  );
  if (!falls || !((coefficients[0] ?? 0) >= 1))
    throw new UsageError(
      `coefficients ${coefficients.join(', ')}; whole numbers from ${MOST_COEFFICIENT} down to 0 that never rise are needed, the first at least 1`,
    );
}

/** Largest k₀: the noise of a draw is as many times wider. */
const MOST_COEFFICIENT = 1_024;

/**
 * L2 sensitivity of all draws together over the whole task, in units of one round's sensitivity: a release of noise multiplier z (of
 * one draw, where k₀ stands for 1) costs as much as one Gaussian release at z over this.
 *
 * Within a run (a tree, or `steps` rounds of the matrix) the worst pattern of parts is counted; over the runs, the dearer of
 * filling them all and of the most that a part can cost. The least separation is not used from one run to the next.
 *
 * @param rounds rounds of the task so far, or planned; every `noise.steps` of them end a run.
 * @throws {UsageError} for values that cannot be.
 */
export function correlatedSensitivity(
  noise: CorrelatedNoise,
  rounds: number,
  participation: Participation,
): number {
  checkCorrelated(noise);
  checkCount('rounds', rounds);
  checkCount('participations', participation.most);
  checkCount('separation', participation.separation);
  const { steps } = noise;
  const costs = squaresOf(noise, Math.min(rounds, steps), participation);
  const rest = rounds > steps && rounds % steps > 0 ? squaresOf(noise, rounds % steps, participation) : [];
  const full = (costs.at(-1) as number) * Math.max(1, Math.floor(rounds / steps)) + (rest.at(-1) ?? 0);
  const dearestPart = costs.reduce((most, cost, i) => Math.max(most, cost / (i + 1)), 0);
  return Math.sqrt(Math.min(full, participation.most * dearestPart));
}

/** Squared sensitivity within one run of `length` rounds, for 1, 2 … parts of one user. */
function squaresOf(noise: CorrelatedNoise, length: number, { most, separation }: Participation): number[] {
  const parts = Math.min(most, Math.ceil(length / separation));
  return noise.mechanism === 'tree'
    ? Array.from({ length: parts }, (_, i) => treeSquare(length, i + 1, separation))
    : bandedSquares(noise.coefficients, length, parts, separation);
}

/**
 * A bound on Σ over the complete nodes of (parts in the node)², exact for one part. At each level a node of n rounds holds at most
 * ⌈n/separation⌉ of them, and filling nodes one after another makes the most of the squares.
 */
function treeSquare(length: number, parts: number, separation: number): number {
  let sum = 0;
  for (let size = 1; size <= length; size *= 2) {
    const inNode = Math.min(parts, Math.ceil(size / separation));
    const full = Math.min(Math.floor(parts / inNode), Math.floor(length / size));
    const left = full < Math.floor(length / size) ? parts - full * inNode : 0;
    sum += full * inNode ** 2 + left ** 2;
  }
  return sum;
}

/**
 * ‖Σ_j column(j·separation)‖² of C for 1, 2 … `parts` columns, in units of k₀²: with coefficients that never rise the earliest parts,
 * as close as they may be, are the worst.
 *
 * @see Kalinin & Lampert, Banded Square Root Matrix Factorization for Differentially Private Model Training, NeurIPS 2024,
 *   Theorem 2; Choquette-Choo et al., Multi-Epoch Matrix Factorization for Private Machine Learning, ICML 2023, for vectors.
 */
function bandedSquares(
  coefficients: readonly number[],
  length: number,
  parts: number,
  separation: number,
): number[] {
  const first = coefficients[0] as number;
  const sum = new Float64Array(length);
  const squares: number[] = [];
  let square = 0;
  for (let part = 0; part < parts; part++) {
    for (let i = 0, at = part * separation; i < coefficients.length && at < length; i++, at++) {
      const before = sum[at] as number;
      const after = before + (coefficients[i] as number) / first;
      square += after * after - before * before;
      sum[at] = after;
    }
    squares.push(square);
  }
  return squares;
}

/** k₀ of {@link bandedCoefficients}: fine enough that rounding to it costs less than a hundredth of the error. */
const FIRST_COEFFICIENT = 64;

/**
 * Coefficients of the banded square root of the prefix sum: 1, 1/2, 3/8, 5/16 … (binomial(2j, j)/4^j) in whole 64ths, with as
 * many bands as give the least mean square error of the prefix sums for this participation. One band is independent noise.
 *
 * @param bands fixes their number; left out, each is tried.
 * @throws {UsageError} for values that cannot be.
 * @see Kalinin & Lampert 2024; Fichtenberger, Henzinger & Upadhyay, Constant Matters, ICML 2023.
 */
export function bandedCoefficients(
  steps: number,
  participation: Participation,
  bands?: number,
): readonly number[] {
  checkCount('steps', steps);
  if (bands !== undefined) checkCount('bands', bands);
  const root = [FIRST_COEFFICIENT];
  for (let j = 1, exact = FIRST_COEFFICIENT; j < Math.min(steps, MOST_BANDS); j++) {
    exact *= (2 * j - 1) / (2 * j);
    root.push(Math.round(exact));
  }
  if (bands !== undefined) return root.slice(0, bands);
  const error = (count: number): number =>
    prefixError({ mechanism: 'banded', steps, coefficients: root.slice(0, count) }, steps, participation);
  const tried = BANDS_TRIED.filter((count) => count <= root.length);
  return root.slice(
    0,
    tried.reduce((best, count) => (error(count) < error(best) ? count : best)),
  );
}

/** Numbers of bands that are tried. A coordinator keeps as many vectors of noise. */
const BANDS_TRIED = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128] as const;
const MOST_BANDS = 128;

/**
 * Root mean square error of the prefix sums over `rounds`, for one coordinate and a budget that allows one release at z = 1: what
 * mechanisms are compared by. Independent noise of k participations gives √(k·(rounds + 1)/2).
 */
export function prefixError(noise: CorrelatedNoise, rounds: number, participation: Participation): number {
  const sensitivity = correlatedSensitivity(noise, rounds, participation);
  const variances = prefixVariances(noise, Math.min(rounds, noise.steps));
  let [carried, sum] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    const step = round % noise.steps;
    if (step === 0 && round > 0) carried += variances.at(-1) as number;
    sum += carried + (variances[step] as number);
  }
  return sensitivity * Math.sqrt(sum / rounds);
}

/** Variance of the noise in the sum of the first 1, 2 … updates of a run, in units of a draw's. */
function prefixVariances(noise: CorrelatedNoise, length: number): Float64Array {
  if (noise.mechanism === 'tree') return Float64Array.from({ length }, (_, i) => onesOf(i + 1));
  const { coefficients } = noise;
  const inverse = new Float64Array(length);
  const variances = new Float64Array(length);
  // The first column of A·C⁻¹ is the running sum of the power series 1/c(x), with c₀ = 1.
  let [weight, variance] = [0, 0];
  for (let t = 0; t < length; t++) {
    let value = t === 0 ? 1 : 0;
    for (let i = 1; i < coefficients.length && i <= t; i++)
      value -= ((coefficients[i] as number) / (coefficients[0] as number)) * (inverse[t - i] as number);
    inverse[t] = value;
    weight += value;
    variances[t] = variance += weight * weight;
  }
  return variances;
}

/** Ones of a number's binary form: nodes that make up a prefix. */
function onesOf(value: number): number {
  let ones = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}
