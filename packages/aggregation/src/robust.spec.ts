import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coordinateMedian, InvalidUpdateError, trimmedMean } from './index.ts';

/** Without −0, which sorts differently in a number sort and in ours, to the same value. */
const finite = fc
  .float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 })
  .map((value) => value + 0);

describe('robust combination', () => {
  const groups = [Float32Array.of(1, 10), Float32Array.of(2, 20), Float32Array.of(1000, -1000)];

  it('is not moved by one group', () => {
    expect([...coordinateMedian(groups)]).toEqual([2, 10]);
    expect([...trimmedMean(groups, 1)]).toEqual([2, 10]);
    expect([...coordinateMedian(groups.slice(0, 2))]).toEqual([1.5, 15]);
    expect([...groups[2]!]).toEqual([1000, -1000]);
  });

  it('refuses what leaves nothing', () => {
    expect(() => trimmedMean(groups, 2)).toThrow('leaves nothing');
    expect(() => coordinateMedian([])).toThrow('at least one');
  });

  it('equals sorting each coordinate (property)', () => {
    const rows = fc.array(fc.tuple(finite, finite), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(rows, fc.nat(4), (values, trim) => {
        const means = values.map((row) => Float32Array.from(row));
        const column = (i: number) => means.map((mean) => mean[i] as number).sort((a, b) => a - b);
        const median = (sorted: number[]) =>
          ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
        expect([...coordinateMedian(means)]).toEqual([0, 1].map((i) => Math.fround(median(column(i)))));
        if (2 * trim >= means.length) return;
        const trimmed = [0, 1].map((i) => {
          const kept = column(i).slice(trim, means.length - trim);
          return Math.fround(kept.reduce((sum, value) => sum + value, 0) / kept.length);
        });
        expect([...trimmedMean(means, trim)]).toEqual(trimmed);
      }),
      { numRuns: 300, seed: 6 },
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses %d, wherever it stands',
    (value) => {
      for (let at = 0; at < 3; at++) {
        const means = groups.map((mean, group) =>
          Float32Array.of(mean[0] as number, group === at ? value : 1),
        );
        expect(() => coordinateMedian(means)).toThrow(InvalidUpdateError);
        expect(() => trimmedMean(means, 1)).toThrow(InvalidUpdateError);
      }
    },
  );

  it('refuses groups of unequal length', () => {
    expect(() => coordinateMedian([new Float32Array(1), new Float32Array(2)])).toThrow('all of one length');
  });
});
