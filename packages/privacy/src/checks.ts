import { UsageError } from '@tutti/base';

/** @throws {UsageError} unless δ lies strictly between 0 and 1. */
export function checkDpDelta(dpDelta: number): void {
  if (!(dpDelta > 0 && dpDelta < 1)) throw new UsageError(`δ is ${dpDelta}; between 0 and 1 is needed`);
}

/** @throws {UsageError} unless `value` is finite and above 0. */
export function checkPositive(name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value)))
    throw new UsageError(`${name} is ${value}; a finite number above 0 is needed`);
}

/** @throws {UsageError} unless `value` is a whole number from 1 to 2⁵³ − 1. */
export function checkCount(name: string, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 1))
    throw new UsageError(`${name} is ${value}; a whole number from 1 is needed`);
}

/** @throws {UsageError} unless q lies in (0, 1]. */
export function checkSampling(sampling: number): void {
  if (!(sampling > 0 && sampling <= 1))
    throw new UsageError(`a sampling rate of ${sampling}; above 0, at most 1 is needed`);
}
