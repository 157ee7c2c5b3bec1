import { UsageError } from '@tutti/base';
import { divide, multiply } from './field.ts';

/**
 * Shamir sharing over GF(2¹⁶), t of k. A secret is a run of 16-bit elements (little-endian); the share of the member at
 * roster index i is the polynomials' values at x = i + 1.
 */
const elementsOf = (bytes: Uint8Array): Uint16Array =>
  Uint16Array.from(
    { length: bytes.length / 2 },
    (_, i) => (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8),
  );

/**
 * Shares of `secret` at each x of `points`.
 * @param secret an even number of bytes.
 * @param threshold t: shares that give the secret back; t − 1 tell nothing.
 * @param points distinct, 1 to 65535.
 * @param random uniform bytes: (t − 1) · secret.length of them are drawn and wiped.
 */
export function splitSecret(
  secret: Uint8Array,
  threshold: number,
  points: readonly number[],
  random: (length: number) => Uint8Array,
): Uint8Array[] {
  if (threshold < 1 || threshold > points.length)
    throw new UsageError(`threshold ${threshold} of ${points.length} shares`);
  const constant = elementsOf(secret);
  const elements = constant.length;
  const bytes = random((threshold - 1) * secret.length);
  const coefficients = elementsOf(bytes);
  const shares = points.map((x) => {
    const share = new Uint8Array(secret.length);
    for (let element = 0; element < elements; element++) {
      let value = 0;
      for (let power = threshold - 2; power >= 0; power--)
        value = multiply(value, x) ^ (coefficients[power * elements + element] as number);
      value = multiply(value, x) ^ (constant[element] as number);
      share[2 * element] = value & 0xff;
      share[2 * element + 1] = value >>> 8;
    }
    return share;
  });
  constant.fill(0);
  coefficients.fill(0);
  bytes.fill(0);
  return shares;
}

/** Lagrange coefficients at 0 for the x of `points`: computed once, used for every secret shared at the same points. */
export function lagrangeAtZero(points: readonly number[]): Uint16Array {
  return Uint16Array.from(points, (x, i) => {
    let numerator = 1;
    let denominator = 1;
    points.forEach((other, j) => {
      if (i === j) return;
      numerator = multiply(numerator, other);
      denominator = multiply(denominator, other ^ x);
    });
    return divide(numerator, denominator);
  });
}

/** The secret whose shares are `shares`, with the coefficients of their points. */
export function combineShares(shares: readonly Uint8Array[], coefficients: Uint16Array): Uint8Array {
  const length = shares[0]?.length ?? 0;
  const secret = new Uint8Array(length);
  shares.forEach((share, i) => {
    const coefficient = coefficients[i] as number;
    for (let at = 0; at < length; at += 2) {
      const value = multiply((share[at] as number) | ((share[at + 1] as number) << 8), coefficient);
      secret[at] = (secret[at] as number) ^ (value & 0xff);
      secret[at + 1] = (secret[at + 1] as number) ^ (value >>> 8);
    }
  });
  return secret;
}
