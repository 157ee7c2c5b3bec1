import { describe, expect, expectTypeOf, it } from 'vitest';
import { UsageError } from './errors.ts';
import { fillWords, secureWords, seededRandom, systemRandom } from './random.ts';
import type { RandomWords, SecureRandom, SeededRandom } from './random.ts';

const first = (random: RandomWords, count: number): number[] =>
  Array.from({ length: count }, () => random.uint32());

describe('the two kinds of randomness', () => {
  it('cannot be taken for one another', () => {
    expectTypeOf<SeededRandom>().not.toExtend<SecureRandom>();
    expectTypeOf<SecureRandom>().not.toExtend<SeededRandom>();
    // @ts-expect-error any object with a `bytes` method is not cryptographic randomness
    const forged: SecureRandom = { bytes: (length: number) => new Uint8Array(length) };
    expect(forged).toBeDefined();
    expectTypeOf<SeededRandom>().toExtend<RandomWords>();
  });
});

describe('systemRandom', () => {
  it('fills any length, above the 65,536 bytes that one call of WebCrypto gives as well', () => {
    for (const length of [0, 1, 32, 65_536, 65_537, 200_000]) {
      expect(systemRandom().bytes(length)).toHaveLength(length);
    }
    const tail = systemRandom()
      .bytes(65_536 + 64)
      .subarray(65_536);
    expect(tail.some((byte) => byte !== 0)).toBe(true); // false alarm: 2^-512
  });

  it('never gives the same 32 bytes twice', () => {
    const random = systemRandom();
    const seen = new Set(Array.from({ length: 1000 }, () => random.bytes(32).join()));
    expect(seen.size).toBe(1000);
  });
});

describe('secureWords', () => {
  it('hands out every word of every block once, in order', () => {
    let next = 0;
    const counting = {
      bytes: (length: number) =>
        new Uint8Array(Uint32Array.from({ length: length / 4 }, () => next++).buffer),
    } as unknown as SecureRandom;
    expect(first(secureWords(counting), 10_000)).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
  });
});

describe('seededRandom', () => {
  // Recorded from this implementation at version 0.1.0. They may only change together with a note in CHANGELOG:
  // initial weights, splits and synthetic data are made from these streams, and published figures name their seed.
  it.each([
    ['demo', [745137362, 2160373392, 1158483640, 3690740829]],
    [1, [2564790775, 1812153898, 1647465925, 3783526737]],
    ['', [4277682258, 836924052, 1979974958, 1370739018]],
  ])('the stream of seed %j is fixed', (seed, words) => {
    expect(first(seededRandom(seed), 4)).toEqual(words);
  });

  it('takes a number for its text', () => {
    expect(first(seededRandom(7), 5)).toEqual(first(seededRandom('7'), 5));
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses seed %d', (seed) => {
    expect(() => seededRandom(seed)).toThrow(UsageError);
  });

  it('gives other streams to neighbouring seeds', () => {
    const firsts = new Set(Array.from({ length: 10_000 }, (_, i) => first(seededRandom(i), 2).join()));
    expect(firsts.size).toBe(10_000);
  });

  it('fork depends on the labels, not on what was drawn', () => {
    const fresh = seededRandom('a').fork('round', 3);
    const used = seededRandom('a');
    first(used, 100);
    expect(first(used.fork('round', 3), 5)).toEqual(first(fresh, 5));
    expect(first(seededRandom('a').fork('round', 4), 5)).not.toEqual(
      first(seededRandom('a').fork('round', 3), 5),
    );
  });

  it.each([0, -1, 1.5, 2 ** 32 + 1, Number.NaN])('int refuses the bound %d', (bound) => {
    expect(() => seededRandom(1).int(bound)).toThrow('an integer from 1 to 2^32 is needed');
  });

  it('int covers its whole range and nothing else', () => {
    const random = seededRandom(2);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[random.int(7)]!++;
    // Binomial, n = 70,000, p = 1/7: standard deviation 92.6. Five of them: false alarm below 1e-5; the seed is fixed.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(463);
    expect(random.int(1)).toBe(0);
    expect(random.int(2 ** 32)).toBeLessThan(2 ** 32);
  });

  it('int has no modulo bias where the bound does not divide 2^32', () => {
    const random = seededRandom(3);
    const bound = 3 * 2 ** 30; // a plain remainder would give the first third of the range half of all draws
    let low = 0;
    for (let i = 0; i < 30_000; i++) if (random.int(bound) < 2 ** 30) low++;
    // Binomial, n = 30,000, p = 1/3: standard deviation 81.6; with the bias 15,000 would be expected.
    expect(Math.abs(low - 10_000)).toBeLessThan(410);
  });

  it('float stays in [0, 1) and has the mean and variance of a uniform value', () => {
    const random = seededRandom(4);
    let sum = 0;
    let squares = 0;
    let inside = true;
    for (let i = 0; i < 100_000; i++) {
      const value = random.float();
      inside &&= value >= 0 && value < 1;
      sum += value;
      squares += value * value;
    }
    expect(inside).toBe(true);
    // Standard error of the mean 0.00091, of the second moment 0.00094; five of each.
    expect(Math.abs(sum / 100_000 - 0.5)).toBeLessThan(0.0046);
    expect(Math.abs(squares / 100_000 - 1 / 3)).toBeLessThan(0.0047);
  });

  it('normal has mean 0, variance 1 and fourth moment 3', () => {
    const random = seededRandom(5);
    const moments = [0, 0, 0];
    const draws = 100_000;
    for (let i = 0; i < draws; i++) {
      const value = random.normal();
      moments[0]! += value / draws;
      moments[1]! += value ** 2 / draws;
      moments[2]! += value ** 4 / draws;
    }
    // Standard errors: 1/√n, √(2/n), √(96/n); five of each.
    expect(Math.abs(moments[0]!)).toBeLessThan(0.016);
    expect(Math.abs(moments[1]! - 1)).toBeLessThan(0.0224);
    expect(Math.abs(moments[2]! - 3)).toBeLessThan(0.155);
  });
});

describe('filling', () => {
  it('gives the words that single calls give, and both may be mixed', () => {
    const bytes = new Uint8Array(400_000).map((_, i) => (i * 7) ^ (i >> 8));
    let at = 0;
    const counted = { bytes: (length: number) => bytes.slice(at, (at += length)) } as SecureRandom;
    const streams: (() => RandomWords)[] = [
      () => seededRandom('fill'),
      () => ((at = 0), secureWords(counted)),
      () => {
        const random = seededRandom('fill');
        return { uint32: () => random.uint32() };
      },
    ];
    for (const make of streams) {
      const single = make();
      const expected = Array.from({ length: 20_000 }, () => single.uint32());
      const mixed = make();
      const seen: number[] = [];
      for (const size of [0, 1, 4_095, 4_097, 3, 9_000]) {
        const block = new Uint32Array(size);
        fillWords(mixed, block);
        seen.push(...block, mixed.uint32());
      }
      expect(seen).toEqual(expected.slice(0, seen.length));
    }
  });
});
