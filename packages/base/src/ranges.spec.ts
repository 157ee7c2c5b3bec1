import { describe, expect, it } from 'vitest';
import { addRangesInto, countInRanges, spreadInto } from './ranges.ts';

describe('ranges', () => {
  const ranges = Int32Array.of(4, 2, 0, 1, 7, 0);

  it('say where the numbers of a longer vector stand', () => {
    const whole = new Float32Array(8);
    spreadInto(whole, Float32Array.of(1, 2, 3), ranges);
    expect([...whole]).toEqual([3, 0, 0, 0, 1, 2, 0, 0]);
    expect(countInRanges(ranges, 8)).toBe(3);
  });

  it('add modulo 2^32, as adding the whole vectors does', () => {
    const sum = Uint32Array.of(2 ** 32 - 1, 5, 0, 0, 2 ** 31, 7, 0, 0);
    const values = Uint32Array.of(2 ** 31, 1, 2);
    const whole = new Uint32Array(8);
    spreadInto(whole, values, ranges);
    const expected = sum.map((word, i) => word + (whole[i] as number));
    addRangesInto(sum, values, ranges);
    expect(sum).toEqual(expected);
    expect([...values]).toEqual([2 ** 31, 1, 2]);
  });

  it('outside the vector are refused', () => {
    expect(() => countInRanges(Int32Array.of(7, 2), 8)).toThrow('the vector has 8');
    expect(() => countInRanges(Int32Array.of(-1, 2), 8)).toThrow('the vector has 8');
  });
});
