import { secretBytes, UsageError, wipe } from '@tutti/base';
import { addMultipleInPlace, exponential, hornerStepInPlace, logarithm, ORDER } from './field.ts';

/**
 * Shamir sharing over GF(2¹⁶), t of k. A secret is a run of 16-bit elements (little-endian); the share of the member at
 * roster index i is the polynomials' values at x = i + 1.
 */
function elementsOf(bytes: Uint8Array): Uint16Array {
  const elements = secretElements(bytes.length / 2);
  for (let i = 0; i < elements.length; i++)
    elements[i] = (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8);
  return elements;
}

/** See {@link secretBytes}. */
const secretElements = (count: number): Uint16Array => new Uint16Array(new ArrayBuffer(2 * count));

function bytesOf(elements: Uint16Array): Uint8Array {
  const bytes = secretBytes(2 * elements.length);
  for (let i = 0; i < elements.length; i++) {
    bytes[2 * i] = elements[i] as number;
    bytes[2 * i + 1] = (elements[i] as number) >>> 8;
  }
  return bytes;
}

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
  const elements = secret.length / 2;
  const bytes = random((threshold - 1) * secret.length);
  // Coefficients of the polynomials, the secret at 0 first: one row of elements for each power.
  const powers = [secret, bytes].map(elementsOf) as [Uint16Array, Uint16Array];
  const row = (power: number): Uint16Array =>
    power === 0 ? powers[0] : powers[1].subarray((power - 1) * elements, power * elements);
  const values = secretElements(elements);
  const shares = points.map((x) => {
    values.fill(0);
    for (let power = threshold - 1; power >= 0; power--) hornerStepInPlace(values, row(power), x);
    return bytesOf(values);
  });
  wipe(powers[0], powers[1], values, bytes);
  return shares;
}

/**
 * Lagrange coefficients at 0 for the x of `points`, Π xⱼ / (xⱼ − xᵢ) over j ≠ i: computed once, used for every secret shared at
 * the same points.
 */
export function lagrangeAtZero(points: readonly number[]): Uint16Array {
  const all = points.reduce((sum, x) => sum + logarithm(x), 0);
  return Uint16Array.from(points, (x) => {
    let below = logarithm(x);
    for (const other of points) if (other !== x) below += logarithm(other ^ x);
    const log = (all - below) % ORDER;
    return exponential(log < 0 ? log + ORDER : log);
  });
}

/** The secret whose shares are `shares`, with the coefficients of their points. */
export function combineShares(shares: readonly Uint8Array[], coefficients: Uint16Array): Uint8Array {
  const secret = secretElements((shares[0]?.length ?? 0) / 2);
  for (const [i, share] of shares.entries()) {
    const elements = elementsOf(share);
    addMultipleInPlace(secret, elements, coefficients[i] as number);
    elements.fill(0);
  }
  const bytes = bytesOf(secret);
  secret.fill(0);
  return bytes;
}
