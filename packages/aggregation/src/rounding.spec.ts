import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { seededRandom, type RandomWords } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  BlockReader,
  roundInTypescript,
  typescriptRounding,
  wasmRounding,
  type Rounding,
} from './rounding.ts';

const wasm = wasmRounding() as Rounding;

/** What a rounding gives, and the words that it leaves to whoever reads on. */
function round(rounding: Rounding, delta: Float32Array, factor: number, random: RandomWords) {
  const lanes = new Int32Array(delta.length);
  const words = rounding.reader(random);
  rounding.round(lanes, delta, factor, words);
  return { lanes, next: [words.next(), words.next()] };
}

/** Words whose bytes are 0, 127 and 255 more often than not: ties, and fractions next to them. */
function extremeWords(seed: number): RandomWords {
  const random = seededRandom(seed);
  const byte = (): number => [0, 0, 127, 128, 255, random.int(256)][random.int(6)] as number;
  return { uint32: () => (byte() | (byte() << 8) | (byte() << 16) | (byte() << 24)) >>> 0 };
}

describe('the WebAssembly rounding', () => {
  it('is the TypeScript one, lane by lane, and uses the same words (property)', () => {
    const value = fc.oneof(
      fc.constantFrom(0, -0, 0.5, -0.5, 1 / 256, -1 / 256, 127 / 256, 1, -1, 1e-30, -1e-30),
      fc.float({ min: -100, max: 100, noNaN: true }),
    );
    const input = fc.record({
      values: fc.array(value, { maxLength: 70 }),
      factor: fc.constantFrom(1, 0.37, 2 ** 14, 12_345.678, 2 ** 24),
      seed: fc.nat(1_000),
      extreme: fc.boolean(),
    });
    fc.assert(
      fc.property(input, ({ values, factor, seed, extreme }) => {
        const words = (): RandomWords => (extreme ? extremeWords(seed) : seededRandom(seed));
        const delta = Float32Array.from(values);
        expect(round(wasm, delta, factor, words())).toEqual(
          round(typescriptRounding, delta, factor, words()),
        );
      }),
      { numRuns: 500, seed: 11 },
    );
  });

  it.each([4_095, 4_096, 4_097, 3 * 4_096 + 5, 122_298])(
    'does so over %i lanes, most of them 0',
    (length) => {
      const random = seededRandom('sparse');
      const delta = Float32Array.from({ length }, (_, i) => (i % 99 < 33 ? random.normal() : 0));
      const before = delta.slice();
      const both = [wasm, typescriptRounding].map((one) =>
        round(one, delta, 2 ** 14 / 8, extremeWords(length)),
      );
      expect(both[0]).toEqual(both[1]);
      expect(delta).toEqual(before);
    },
  );

  it('forgets what it worked on', () => {
    const block = wasm.reader(seededRandom(1));
    wasm.round(new Int32Array(8), new Float32Array(8).fill(3), 1, block);
    wasm.wipe();
    expect(block.next()).toBe(0);
  });

  it('is what its source compiles to', () => {
    const script = fileURLToPath(new URL('../assembly/build.mjs', import.meta.url));
    expect(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' })).not.toThrow();
  });

  it('is done without where WebAssembly is refused', async () => {
    const { Module } = WebAssembly;
    Object.assign(WebAssembly, {
      Module: class {
        constructor() {
          throw new WebAssembly.CompileError('refused by the content policy');
        }
      },
    });
    try {
      vi.resetModules();
      expect((await import('./rounding.ts')).bestRounding().name).toBe('typescript');
    } finally {
      Object.assign(WebAssembly, { Module });
    }
  });
});

describe('words through a block', () => {
  it('are the words of the stream, in order, whatever the block', () => {
    const plain = seededRandom(4);
    const expected = Array.from({ length: 900 }, () => plain.uint32());
    for (const size of [1, 7, 256]) {
      const reader = new BlockReader(seededRandom(4), new Uint32Array(size));
      const seen = Array.from({ length: 900 }, (_, i) => {
        if (i % 50 === 0) reader.ready(7 + (i % 90));
        return reader.next();
      });
      expect(seen).toEqual(expected);
    }
    const lanes = new Int32Array(4);
    roundInTypescript(lanes, new Float32Array(4), 1, new BlockReader(seededRandom(1)));
    expect([...lanes]).toEqual([0, 0, 0, 0]);
  });
});
