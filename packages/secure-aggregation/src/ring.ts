import type { Brand } from '@tutti/base';
import { UsageError } from '@tutti/base';
import { RingBudgetError } from './errors.ts';

/** Integers before masking, modulo 2³². */
export type QuantizedInput = Brand<Uint32Array, 'QuantizedInput'>;
/** Integers after masking, modulo 2³²: uniform to anyone without the masks. */
export type MaskedInput = Brand<Uint32Array, 'MaskedInput'>;

/** Bits of a word on the wire: masks are modulo 2³², so the low 24 bits of what they mask are a ring of their own, modulo 2²⁴. */
export const WORD_BITS = [24, 32] as const;
export type WordBits = (typeof WORD_BITS)[number];

/** Largest magnitudes that add up in one lane. */
export interface RingBudget {
  /** Clients whose inputs are added. */
  readonly cohort: number;
  /** Largest magnitude of one client's lane, in ring units. */
  readonly largestMagnitude: number;
  /** Magnitude that the sum's noise stays below, but for a negligible chance. */
  readonly noiseTail: number;
  /** The ring has 2^wordBits elements; sums must stay inside its signed half. */
  readonly wordBits: WordBits;
}

const largestSumOf = ({ cohort, largestMagnitude, noiseTail }: RingBudget): number =>
  cohort * largestMagnitude + noiseTail;

/** Whether no sum can wrap: cohort · largestMagnitude + noiseTail < 2^(wordBits − 1). */
export function fitsRing(budget: RingBudget): boolean {
  return largestSumOf(budget) < 2 ** (budget.wordBits - 1);
}

/**
 * Checks that no sum can wrap. Asked when a round description is built.
 * @throws {RingBudgetError} unless {@link fitsRing}.
 */
export function checkRingBudget(budget: RingBudget): void {
  if (!fitsRing(budget)) throw new RingBudgetError(largestSumOf(budget), 2 ** (budget.wordBits - 1));
}

/**
 * Ring words as signed integers (two's complement): a view of the same memory. Of 24-bit words the upper eight bits, which
 * hold whatever adding carried into them, are replaced by copies of the sign, in place.
 */
export function toSigned(sum: Uint32Array, wordBits: WordBits = 32): Int32Array {
  const signed = signedView(sum);
  const unused = 32 - wordBits;
  if (unused > 0)
    for (let i = 0; i < signed.length; i++) signed[i] = ((signed[i] as number) << unused) >> unused;
  return signed;
}

/** target += words modulo 2³², in place. @throws {UsageError} when the lengths differ. */
export function addInto(target: Uint32Array, words: Uint32Array): void {
  if (target.length !== words.length)
    throw new UsageError(`a sum of ${target.length} words cannot take ${words.length}`);
  // As signed numbers both stay small integers, which are added several times as fast; four a turn take two thirds of the time of one.
  const to = signedView(target);
  const from = signedView(words);
  const whole = to.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    to[i] = ((to[i] as number) + (from[i] as number)) | 0;
    to[i + 1] = ((to[i + 1] as number) + (from[i + 1] as number)) | 0;
    to[i + 2] = ((to[i + 2] as number) + (from[i + 2] as number)) | 0;
    to[i + 3] = ((to[i + 3] as number) + (from[i + 3] as number)) | 0;
  }
  for (let i = whole; i < to.length; i++) to[i] = ((to[i] as number) + (from[i] as number)) | 0;
}

const signedView = ({ buffer, byteOffset, length }: Uint32Array): Int32Array =>
  new Int32Array(buffer, byteOffset, length);
