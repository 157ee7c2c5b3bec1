import { l2Norm, UsageError } from '@tutti/base';
import { InvalidUpdateError } from './errors.ts';

/** A delta whose L2 norm is at most the clipping norm. */
export interface ClippedUpdate {
  /** A new vector, float32, length d. */
  readonly delta: Float32Array;
  /** L2 norm before clipping, summed in float64. It says something of the person: it stays on the device. */
  readonly norm: number;
  /** Whether the delta was longer than the clipping norm. */
  readonly clipped: boolean;
}

/** Left below C, so that rounding each product to float32 does not carry the norm above it. */
const HAIR = 2 ** -22;

/**
 * Scales `delta` down so that its L2 norm is at most `clippingNorm`; shorter updates pass unchanged.
 *
 * The norm runs over all tensors together (flat clipping) and is summed in float64. The bound holds for the
 * float32 values that are returned, not only before their rounding.
 *
 * @param delta model delta, trained minus initial weights; length d, float32. Not modified.
 * @param clippingNorm C > 0, finite, in the units of the weights.
 * @returns a new vector of length d, and the norm before clipping.
 * @throws {UsageError} if `clippingNorm` is not finite and positive.
 * @throws {InvalidUpdateError} if an entry of `delta` is NaN or infinite.
 * @see McMahan et al., Learning Differentially Private Recurrent Language Models, ICLR 2018, Algorithm 1.
 */
export function clipUpdate(delta: Float32Array, clippingNorm: number): ClippedUpdate {
  checkNorm(clippingNorm);
  const copy = delta.slice();
  return { delta: copy, ...clipInPlace(copy, clippingNorm) };
}

/**
 * {@link clipUpdate} without a copy: `delta` itself is scaled.
 * @param delta all that may be other than zero of a model delta.
 */
export function clipInPlace(delta: Float32Array, clippingNorm: number): Omit<ClippedUpdate, 'delta'> {
  checkNorm(clippingNorm);
  const norm = l2Norm(delta);
  // Squares of float32 numbers cannot overflow float64: the norm is not finite only where an entry is not.
  if (!Number.isFinite(norm)) throw new InvalidUpdateError('delta', 'holds a number that is not finite');
  if (norm <= clippingNorm) return { norm, clipped: false };
  scaleInPlace(delta, (clippingNorm / norm) * (1 - HAIR));
  // Denormal products are rounded more coarsely than the hair allows for; then a little more is taken.
  while (l2Norm(delta) > clippingNorm) scaleInPlace(delta, 0.5);
  return { norm, clipped: true };
}

function checkNorm(clippingNorm: number): void {
  if (!(clippingNorm > 0 && Number.isFinite(clippingNorm)))
    throw new UsageError(`a clipping norm of ${clippingNorm}; a finite number above 0 is needed`);
}

function scaleInPlace(values: Float32Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * factor;
}
