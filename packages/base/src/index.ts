/**
 * What every room stands on: brands that make wrong states impossible to write, the error classes, the two kinds of
 * randomness, and a few functions on bytes.
 *
 * ```ts
 * import { keepLocal, seededRandom, systemRandom, toHex } from '@tutti/base';
 *
 * const taste = keepLocal(Float32Array.of(0.1, -0.2)); // no message type takes it
 * const order = seededRandom('demo').fork('round', 3).int(10); // reproducible
 * const key = toHex(systemRandom().bytes(32)); // cryptographic
 * ```
 */
export { assertNever, keepLocal } from './brand.ts';
export type { Brand, LocalOnly, Sendable } from './brand.ts';
export {
  canonicalJson,
  concatBytes,
  equalBytes,
  fromHex,
  secretBytes,
  secretCopy,
  toHex,
  utf8,
  wipe,
} from './bytes.ts';
export {
  DecodeError,
  EnvironmentError,
  FederatedError,
  InternalError,
  messageOf,
  UsageError,
} from './errors.ts';
export type { Fault } from './errors.ts';
export { allFinite, bytesOf } from './floats.ts';
export { given } from './given.ts';
export { parseJson } from './json.ts';
export { fromPackedText, packedText } from './packed.ts';
export { addRangesInto, countInRanges, spreadInto } from './ranges.ts';
export type { Ranges } from './ranges.ts';
export { fillWords, secureWords, seededRandom, systemRandom } from './random.ts';
export type { RandomWords, SecureRandom, SeededRandom } from './random.ts';
export { FLAG, numberFrom, oneOf, wholeFrom, wrongFields } from './rules.ts';
export type { Rule } from './rules.ts';
export { l2Norm, sumOfSquares } from './squares.ts';
