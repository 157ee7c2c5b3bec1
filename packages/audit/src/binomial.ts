import { UsageError } from '@tutti/base';

/**
 * The exact interval of a share: where p lies when `hits` of `trials` came, each side wrong with a chance of at most `tail`.
 * @throws {UsageError} unless 0 ≤ hits ≤ trials, trials ≥ 1 and 0 < tail < 0.5.
 * @see Clopper & Pearson, The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial, Biometrika 1934.
 */
export function shareInterval(
  hits: number,
  trials: number,
  tail: number,
): readonly [low: number, high: number] {
  if (!(Number.isInteger(hits) && Number.isInteger(trials) && hits >= 0 && hits <= trials && trials >= 1))
    throw new UsageError(`${hits} of ${trials}; whole numbers with 0 ≤ hits ≤ trials are needed`);
  if (!(tail > 0 && tail < 0.5)) throw new UsageError(`a tail of ${tail}; a number in (0, 0.5) is needed`);
  // P[X ≥ k] at p is I_p(k, n − k + 1).
  const low = hits === 0 ? 0 : whereReaches((p) => incompleteBeta(p, hits, trials - hits + 1), tail);
  const high =
    hits === trials ? 1 : whereReaches((p) => incompleteBeta(p, hits + 1, trials - hits), 1 - tail);
  return [low, high];
}

/** The p in (0, 1) at which a rising function reaches `value`. */
function whereReaches(rising: (p: number) => number, value: number): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (rising(middle) < value) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** I_x(a, b), a, b ≥ 1: the regularised incomplete beta function, by its continued fraction. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast below the mean; above it the other tail is taken.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return (front / a) * betaFraction(x, a, b);
}

/** Lentz's method. @see Press et al., Numerical Recipes, 6.4. */
function betaFraction(x: number, a: number, b: number): number {
  const TINY = 1e-300;
  const nonZero = (value: number): number => (Math.abs(value) < TINY ? TINY : value);
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-14) break;
  }
  return value;
}

/** ln Γ(x), x ≥ 1, by Stirling's series from 10 on; better than 1e-12. */
export function logGamma(x: number): number {
  let shift = 0;
  let at = x;
  for (; at < 10; at++) shift += Math.log(at);
  const inverse = 1 / (at * at);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
