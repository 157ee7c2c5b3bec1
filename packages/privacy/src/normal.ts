/**
 * exp(x²)·erfc(x) for x ≥ 0, to a few units in the last place of float64: erfc without its underflow.
 *
 * Below 1 from the power series of erf; above from the continued fraction of erfc, evaluated from its end.
 *
 * @see Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.6 and 7.1.14.
 */
export function scaledErfc(x: number): number {
  if (x < 1) return Math.exp(x * x) - erfSeries(x);
  // The error falls like exp(−2x·√(2·levels)): below 1e-17 from x = 1 on.
  let tail = 0;
  for (let level = 200; level >= 1; level--) tail = level / 2 / (x + tail);
  return 1 / (Math.sqrt(Math.PI) * (x + tail));
}

/** exp(x²)·erf(x) = 2x/√π · Σ (2x²)ⁿ / (1·3·5⋯(2n+1)); all terms positive, so nothing cancels. */
function erfSeries(x: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; term > 1e-18 * sum; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return ((2 * x) / Math.sqrt(Math.PI)) * sum;
}

/** Φ(x): the chance that a standard normal value is at most x. */
export function normalCdf(x: number): number {
  const tail = 0.5 * Math.exp((-x * x) / 2) * scaledErfc(Math.abs(x) / Math.SQRT2);
  return x < 0 ? tail : 1 - tail;
}
