import { execFileSync } from 'node:child_process';
import { addRangesInto, type Ranges } from '@tutti/base';
import { addInto } from '@tutti/secure-aggregation';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RunningSums } from './running-sums.ts';

/** Words of every sum. */
const LENGTH = 40;

interface Input {
  readonly words: Uint32Array;
  readonly ranges?: Ranges;
}

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** Ranges apart from each other, the last of which ends where the sum does. */
const ranged = fc
  .uniqueArray(fc.integer({ min: 0, max: LENGTH }), { minLength: 1, maxLength: 9 })
  .map((cuts) => [...cuts, LENGTH].sort((a, b) => a - b))
  .map((cuts) => cuts.slice(0, -1).map((cut, i) => [cut, (cuts[i + 1] as number) - cut] as const))
  .map((pairs) => pairs.filter((_, i) => (pairs.length - i) % 2 === 1))
  .map((pairs) => Int32Array.from(pairs.flat()));

const input: fc.Arbitrary<Input> = fc.option(ranged, { nil: undefined }).chain((ranges) => {
  const count = ranges?.reduce((sum, value, i) => sum + (i % 2) * value, 0) ?? LENGTH;
  return fc
    .array(word, { minLength: count, maxLength: count })
    .map((words) => ({ words: Uint32Array.from(words), ...(ranges === undefined ? {} : { ranges }) }));
});

function added(inputs: readonly Input[]): Uint32Array {
  const sum = new Uint32Array(LENGTH);
  for (const { words, ranges } of inputs)
    if (ranges === undefined) addInto(sum, words);
    else addRangesInto(sum, words, ranges);
  return sum;
}

describe('running sums', () => {
  it('are what adding in TypeScript gives, in memory that is used again and outside of it', () => {
    const bytes = fc.constantFrom(0, 4 * LENGTH, 2 ** 20);
    const rounds = fc.array(fc.array(fc.array(input, { minLength: 1, maxLength: 4 }), { maxLength: 3 }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(bytes, rounds, (mostBytes, all) => {
        const sums = new RunningSums(mostBytes);
        for (const groups of all) {
          for (const [group, inputs] of groups.entries())
            for (const { words, ranges } of inputs) sums.add(`${group}`, words, LENGTH, ranges);
          for (const [group, inputs] of groups.entries())
            expect(sums.take(`${group}`)).toEqual(added(inputs));
        }
      }),
    );
  });

  it('are taken once, and what was taken changes no more', () => {
    const sums = new RunningSums();
    const ones = new Uint32Array(LENGTH).fill(1);
    sums.add('a', ones, LENGTH);
    const taken = sums.take('a');
    expect(sums.take('a')).toBeUndefined();
    sums.add('b', ones, LENGTH);
    sums.add('b', ones, LENGTH);
    expect(taken).toEqual(ones);
    expect(sums.take('b')).toEqual(new Uint32Array(LENGTH).fill(2));
  });

  it('take an input where it was made, also where the memory grows for its sum', () => {
    const sums = new RunningSums();
    // More than the module's first memory holds.
    const length = 70_000;
    const make = (first: number): { words: Uint32Array; ranges: Ranges } => {
      const words = sums.inputs.words(3);
      const ranges = sums.inputs.ranges(4);
      words.set([first, 2, 3]);
      ranges.set([10, 2, length - 1, 1]);
      return { words, ranges };
    };
    const expected = new Uint32Array(length);
    expected.set([8, 4], 10);
    expected[length - 1] = 6;
    for (const first of [1, 7]) {
      const { words, ranges } = make(first);
      sums.add('a', words, length, ranges);
    }
    const left = make(9);
    expect(sums.take('a')).toEqual(expected);
    // What stood in the room for inputs is gone with the sum.
    expect(Array.from(left.words)).toEqual([0, 0, 0]);
    expect(() => sums.inputs.ranges(1_000)).toThrow('1000 numbers for the ranges of 6 words');
  });

  it('are dropped by name, and their room is used again', () => {
    const sums = new RunningSums();
    const ones = new Uint32Array(LENGTH).fill(1);
    for (const name of ['1/0', '1/1', '2/0']) sums.add(name, ones, LENGTH);
    sums.drop((name) => !name.startsWith('2/'));
    sums.add('1/0', ones, LENGTH);
    expect([sums.take('1/0'), sums.take('1/1'), sums.take('2/0')]).toEqual([ones, undefined, ones]);
  });

  it('of different lengths stand beside each other', () => {
    const sums = new RunningSums();
    for (const length of [3, 70_000, 5]) sums.add(`${length}`, new Uint32Array(length).fill(length), length);
    for (const length of [5, 3, 70_000])
      expect(sums.take(`${length}`)).toEqual(new Uint32Array(length).fill(length));
  });
});

it('the module in the repository is what assembly/ compiles to', () => {
  execFileSync(process.execPath, ['assembly/build.mjs', '--check'], { cwd: new URL('../', import.meta.url) });
});
