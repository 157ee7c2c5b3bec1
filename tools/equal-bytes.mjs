import { expect } from 'vitest';

/**
 * Set up before each file of tests: typed arrays of one kind and the same bytes are equal. Vitest compares them number by number,
 * which takes seconds for a large model; where bytes differ it still does, and says which number it is.
 */
const sameBytes = (one, other) => {
  if (!ArrayBuffer.isView(one) || !ArrayBuffer.isView(other)) return undefined;
  if (one.constructor !== other.constructor || one.byteLength !== other.byteLength) return undefined;
  const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);
  return bytesOf(one).equals(bytesOf(other)) ? true : undefined;
};

// Files that share a process share what is added to `expect`.
const ADDED = Symbol.for('tutti: same bytes');
if (globalThis[ADDED] === undefined) {
  globalThis[ADDED] = true;
  expect.addEqualityTesters([sameBytes]);
}
