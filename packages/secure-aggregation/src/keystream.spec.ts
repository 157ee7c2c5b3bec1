import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { toHex } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  fastestKeystream,
  measuredKeystream,
  portableKeystreams,
  typescriptKeystream,
} from './fastest-keystream.ts';
import { wasmKeystream, type KeystreamGenerator, type MaskStream } from './keystream.ts';
import { nodeKeystream } from './node.ts';

const wasm = wasmKeystream() as KeystreamGenerator;
const generators = [typescriptKeystream, wasm, nodeKeystream];
const bytesOf = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer, 0, 4 * words.length);
const counting = Uint8Array.from({ length: 32 }, (_, i) => i);

/** Words of a chunk of the WebAssembly module, around which its borders lie. */
const CHUNK = 16_128;

describe.each(generators)('the $name generator', ({ add }) => {
  it('gives the known answer for key 00..1f', () => {
    const words = new Uint32Array(4);
    add(words, counting, 1);
    expect(toHex(bytesOf(words))).toBe('39fd2b7dd9c5196a8dbd0377b8dc4a49');
  });

  it.each([1, 15, 16, 17, 63, 64, 65, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 77])(
    'is the stream of RFC 8439 over %i words, and takes away what it adds',
    (length) => {
      const key = Uint8Array.from({ length: 32 }, (_, i) => 7 * i + length);
      const expected = createCipheriv('chacha20', key, new Uint8Array(16)).update(new Uint8Array(4 * length));
      const words = new Uint32Array(length);
      add(words, key, 1);
      expect(Buffer.compare(bytesOf(words), expected)).toBe(0);
      add(words, key, -1);
      expect(words.every((word) => word === 0)).toBe(true);
    },
  );

  it('touches nothing outside its target, and not the seed', () => {
    const whole = new Uint32Array(200).fill(9);
    const seed = counting.slice();
    add(whole.subarray(50, 117), seed, 1);
    expect(whole.subarray(0, 50).every((word) => word === 9)).toBe(true);
    expect(whole.subarray(117).every((word) => word === 9)).toBe(true);
    expect(seed).toEqual(counting);
  });
});

describe.each(generators)('several streams through the $name generator', ({ add, addAll }) => {
  const streams = Array.from({ length: 7 }, (_, i): MaskStream => ({
    seed: Uint8Array.from({ length: 32 }, (_, at) => 31 * i + at),
    sign: i % 3 === 0 ? -1 : 1,
  }));

  // Borders of the blocks in which OpenSSL and the module work, and lengths that are no whole number of them.
  it.each([1, 17, 12_287, 12_288, 12_289, CHUNK, CHUNK + 1, 2 * CHUNK + 333])(
    'are what one after another gives, over %i words',
    (length) => {
      const start = Uint32Array.from({ length }, (_, i) => Math.imul(i, 0x9e37_79b1));
      const [expected, target] = [start.slice(), start.slice()];
      for (const { seed, sign } of streams) add(expected, seed, sign);
      addAll(target, streams);
      expect(Buffer.compare(bytesOf(target), bytesOf(expected))).toBe(0);
    },
  );

  it('change nothing where there are none, and touch nothing outside their target', () => {
    const whole = new Uint32Array(60).fill(9);
    addAll(whole, []);
    expect(whole.every((word) => word === 9)).toBe(true);
    addAll(whole.subarray(20, 41), streams);
    expect([...whole.subarray(0, 20), ...whole.subarray(41)].every((word) => word === 9)).toBe(true);
  });

  it('can go to memory that threads share', () => {
    const shared = new Uint32Array(new SharedArrayBuffer(4 * 100));
    const own = new Uint32Array(100);
    addAll(shared, streams);
    addAll(own, streams);
    expect([...shared]).toEqual([...own]);
  });
});

describe('the generators', () => {
  it('agree bit by bit on whatever they are given', () => {
    const input = fc.record({
      start: fc.uint32Array({ minLength: 1, maxLength: 700 }),
      streams: fc.array(
        fc.record({
          seed: fc.uint8Array({ minLength: 32, maxLength: 32 }),
          sign: fc.constantFrom<1 | -1>(1, -1),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    });
    fc.assert(
      fc.property(input, ({ start, streams }) => {
        const [first, ...others] = generators.map(({ addAll }) => {
          const target = start.slice();
          addAll(target, streams);
          return target;
        });
        for (const other of others) expect(other).toEqual(first);
      }),
      { numRuns: 300 },
    );
  });

  it('are chosen by what they cost, by the clock that is passed in', () => {
    const costs = { typescript: 3, wasm: 1, node: 2 };
    let time = 0;
    const slowed = generators.map((generator) => ({
      ...generator,
      addAll: (...input: Parameters<KeystreamGenerator['addAll']>): void => {
        time += costs[generator.name];
        generator.addAll(...input);
      },
    })) as [KeystreamGenerator];
    expect(fastestKeystream(slowed, () => time).name).toBe('wasm');
    let made = 0;
    const measured = measuredKeystream(() => (made++, slowed));
    const words = new Uint32Array(4);
    measured.addKeystream(words, counting, 1);
    measured.addKeystreams(words, [{ seed: counting, sign: -1 }]);
    expect([made, ...words]).toEqual([1, 0, 0, 0, 0]);
  });

  it('do without WebAssembly where there is none', async () => {
    const { Module } = WebAssembly;
    Object.assign(WebAssembly, {
      Module: class {
        constructor() {
          throw new WebAssembly.CompileError('refused by the content policy');
        }
      },
    });
    try {
      expect(portableKeystreams().map(({ name }) => name)).toEqual(['typescript']);
      vi.resetModules();
      const { nodeKeystream: withoutModule } = await import('./node.ts');
      const [expected, target] = [new Uint32Array(30_001), new Uint32Array(30_001)];
      for (const sign of [-1, 1, 1] as const) {
        nodeKeystream.add(expected, counting, sign);
        withoutModule.add(target, counting, sign);
      }
      expect(Buffer.compare(bytesOf(target), bytesOf(expected))).toBe(0);
    } finally {
      Object.assign(WebAssembly, { Module });
    }
  });

  it('include the WebAssembly module that its source compiles to', () => {
    const script = fileURLToPath(new URL('../assembly/build.mjs', import.meta.url));
    expect(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' })).not.toThrow();
  });
});
