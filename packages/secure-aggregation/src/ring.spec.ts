import { seededRandom, systemRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exchange, type Drop } from '../test/exchange.ts';
import { checkRingBudget, fitsRing, RingBudgetError, toSigned, WORD_BITS } from './index.ts';
import { nodeCrypto } from './node.ts';

describe.each(WORD_BITS)('a ring of %d-bit words', (wordBits) => {
  const half = 2 ** (wordBits - 1);

  it('has room for sums below half of it, and not for one more', () => {
    const budget = { cohort: 100, largestMagnitude: (half - 100) / 100, wordBits };
    expect(fitsRing({ ...budget, noiseTail: 99 })).toBe(true);
    expect(fitsRing({ ...budget, noiseTail: 100 })).toBe(false);
    expect(fitsRing({ ...budget, noiseTail: Number.NaN })).toBe(false);
    expect(() => checkRingBudget({ ...budget, noiseTail: 99 })).not.toThrow();
    expect(() => checkRingBudget({ ...budget, noiseTail: 100 })).toThrow(RingBudgetError);
    expect(() => checkRingBudget({ ...budget, noiseTail: 100 })).toThrow(
      `a sum can reach ${half}; it must stay below ${half}`,
    );
  });

  it('holds every integer of its signed half, whatever was carried above it', () => {
    const values = [0, 1, -1, half - 1, -half, 12_345, -12_345];
    const carried = Uint32Array.from(values, (value) => value + 5 * 2 ** wordBits);
    expect([...toSigned(carried, wordBits)]).toEqual(values);
  });

  it('gives signed words in the memory of the sum', () => {
    const sum = Uint32Array.of(9, 2 ** wordBits - 1, 9).subarray(1);
    const signed = toSigned(sum, wordBits);
    expect([...signed]).toEqual([-1, 9]);
    expect(signed.buffer).toBe(sum.buffer);
  });
});

describe('a secure sum whose words travel as 24 bits', () => {
  it('is the plain sum of the survivors’ integers, for any dropout pattern, and equals that of 32 bits', () => {
    // Signed integers of which 40 fit the narrower ring: 40 · 2^17 < 2^23.
    const cases = fc.record({
      n: fc.integer({ min: 3, max: 40 }),
      length: fc.integer({ min: 1, max: 40 }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(cases, ({ n, length, seed }) => {
        const random = seededRandom(seed);
        const chance = random.float() * 0.3;
        const drops = Array.from({ length: n }, (): Drop =>
          random.float() < chance
            ? (['share-keys', 'masked-input', 'unmask'] as const)[random.int(3)]
            : undefined,
        );
        const inputs = Array.from({ length: n }, () =>
          Int32Array.from({ length }, () => random.int(2 ** 18) - 2 ** 17),
        );
        const sums = WORD_BITS.map((wordBits) => {
          const result = exchange({
            inputs: inputs.map((input) => new Uint32Array(input.buffer)),
            drops,
            crypto: nodeCrypto,
            random: systemRandom(),
            // What frames leave of a word on the wire.
            carry: (words) => words.map((word) => word & (2 ** wordBits - 1)),
          });
          return result.phase === 'aborted' ? result.reason : [...toSigned(result.sum, wordBits)];
        });
        expect(sums[0]).toEqual(sums[1]);
        if (typeof sums[0] === 'string') {
          expect(drops.some((drop) => drop !== undefined)).toBe(true);
          return;
        }
        const counted = inputs.filter((_, i) => drops[i] === undefined || drops[i] === 'unmask');
        expect(sums[0]).toEqual(
          Array.from({ length }, (_, lane) =>
            counted.reduce((sum, input) => sum + (input[lane] as number), 0),
          ),
        );
      }),
      { numRuns: 6, seed: 24 },
    );
  }, 120_000);
});
