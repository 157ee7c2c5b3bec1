import { UsageError } from '@tutti/base';
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
 * The norm runs over all tensors together (flat clipping) and is summed in float64, in order. The bound holds for the
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
  if (!(clippingNorm > 0 && Number.isFinite(clippingNorm)))
    throw new UsageError(`a clipping norm of ${clippingNorm}; a finite number above 0 is needed`);
  const norm = normOf(delta);
  // Squares of float32 numbers cannot overflow float64: the norm is not finite only where an entry is not.
  if (!Number.isFinite(norm)) throw new InvalidUpdateError('delta', 'holds a number that is not finite');
  if (norm <= clippingNorm) return { delta: delta.slice(), norm, clipped: false };
  let factor = (clippingNorm / norm) * (1 - HAIR);
  let scaled = scale(delta, factor);
  // Denormal products are rounded more coarsely than the hair allows for; then a little more is taken.
  while (normOf(scaled) > clippingNorm) scaled = scale(delta, (factor /= 2));
  return { delta: scaled, norm, clipped: true };
}

function normOf(values: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    // Rows that training did not touch are zeros.
    if (value !== 0) squares += value * value;
  }
  return Math.sqrt(squares);
}

function scale(values: Float32Array, factor: number): Float32Array {
  const scaled = new Float32Array(values.length);
  for (let i = 0; i < scaled.length; i++) scaled[i] = (values[i] as number) * factor;
  return scaled;
}
