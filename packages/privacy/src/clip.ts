import { UsageError } from '@tutti/base';

/** A delta whose L2 norm is at most the clipping norm. */
export interface ClippedUpdate {
  readonly delta: Float32Array;
  /** L2 norm before clipping, summed in float64. It says something of the person: it stays on the device. */
  readonly norm: number;
  readonly clipped: boolean;
}

/**
 * Scales `delta` down so that its L2 norm is at most `clippingNorm`; shorter updates pass unchanged.
 *
 * The norm runs over all tensors together (flat clipping) and is summed in float64.
 *
 * @param delta model delta, trained minus initial weights; length d, float32. Not modified.
 * @param clippingNorm C > 0, finite, in the units of the weights.
 * @throws {UsageError} if `clippingNorm` is not finite and positive, or an entry of `delta` is not finite.
 * @see McMahan et al., Learning Differentially Private Recurrent Language Models, ICLR 2018, Algorithm 1.
 */
export function clipUpdate(delta: Float32Array, clippingNorm: number): ClippedUpdate {
  if (!(clippingNorm > 0 && Number.isFinite(clippingNorm)))
    throw new UsageError(`a clipping norm of ${clippingNorm}; a finite number above 0 is needed`);
  let squares = 0;
  for (const value of delta) squares += value * value;
  const norm = Math.sqrt(squares);
  if (!Number.isFinite(norm)) throw new UsageError('the delta holds a number that is not finite');
  if (norm <= clippingNorm) return { delta: Float32Array.from(delta), norm, clipped: false };
  // A hair below C: rounding each product to float32 must not carry the norm above it.
  const factor = (clippingNorm / norm) * (1 - 2 ** -22);
  return { delta: delta.map((value) => value * factor), norm, clipped: true };
}
