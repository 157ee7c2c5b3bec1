import type { Brand } from '@tutti/base';
import { UsageError } from '@tutti/base';
import { RingBudgetError } from './errors.ts';

/** Integers before masking, modulo 2³². */
export type QuantizedInput = Brand<Uint32Array, 'QuantizedInput'>;
/** Integers after masking, modulo 2³²: uniform to anyone without the masks. */
export type MaskedInput = Brand<Uint32Array, 'MaskedInput'>;

/** Sums must stay inside the signed half of the ring. */
const HALF_RING = 2 ** 31;

/** Largest magnitudes that add up in one lane. */
export interface RingBudget {
  /** Clients whose inputs are added. */
  readonly cohort: number;
  /** Largest magnitude of one client's lane, in ring units. */
  readonly largestMagnitude: number;
  /** Magnitude that the sum's noise stays below, but for a negligible chance. */
  readonly noiseTail: number;
}

/**
 * Checks that no sum can wrap. Asked when a round description is built.
 * @throws {RingBudgetError} unless cohort · largestMagnitude + noiseTail < 2³¹.
 */
export function checkRingBudget({ cohort, largestMagnitude, noiseTail }: RingBudget): void {
  const largestSum = cohort * largestMagnitude + noiseTail;
  if (!(largestSum < HALF_RING)) throw new RingBudgetError(largestSum, HALF_RING);
}

/** Ring words as signed integers (two's complement): a view of the same memory. */
export function toSigned(sum: Uint32Array): Int32Array {
  return new Int32Array(sum.buffer, sum.byteOffset, sum.length);
}

/** target += words modulo 2³², in place. @throws {UsageError} when the lengths differ. */
export function addInto(target: Uint32Array, words: Uint32Array): void {
  if (target.length !== words.length)
    throw new UsageError(`a sum of ${target.length} words cannot take ${words.length}`);
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) + (words[i] as number);
}
