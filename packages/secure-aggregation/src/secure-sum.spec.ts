import { seededRandom, systemRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exchange } from '../test/exchange.ts';
import { nodeCrypto } from './node.ts';
import { portableCrypto } from './portable-crypto.ts';

describe('a secure sum', () => {
  it('equals the plain integer sum exactly, for any dropout pattern at every phase edge', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer(),
        (n, length, seed) => {
          const random = seededRandom(seed);
          const chance = random.float() * 0.3;
          const drops = Array.from({ length: n }, () =>
            random.float() < chance
              ? (['share-keys', 'masked-input', 'unmask'] as const)[random.int(3)]
              : undefined,
          );
          const inputs = Array.from({ length: n }, () => Uint32Array.from({ length }, () => random.uint32()));
          const result = exchange({ inputs, drops, crypto: nodeCrypto, random: systemRandom() });
          if (result.phase === 'aborted') {
            const silent = drops.filter((phase) => phase !== undefined).length;
            expect(silent).toBeGreaterThan(0);
            return;
          }
          const expected = new Uint32Array(length);
          inputs.forEach((input, i) => {
            if (drops[i] === undefined || drops[i] === 'unmask')
              input.forEach((word, at) => (expected[at] = (expected[at] as number) + word));
          });
          expect(result.sum).toEqual(expected);
          expect(result.culprits).toEqual([]);
        },
      ),
      { numRuns: 24, seed: 11 },
    );
  }, 120_000);

  it('is the same with portable crypto', () => {
    const inputs = Array.from({ length: 5 }, (_, i) => Uint32Array.of(i, 0xffff_fff0 + i, 7));
    const result = exchange({
      inputs,
      drops: [undefined, 'masked-input', undefined, undefined, undefined],
      crypto: portableCrypto,
      random: systemRandom(),
    });
    expect(result).toMatchObject({ phase: 'summed', sum: Uint32Array.of(9, 0xffff_ffc9, 28) });
  });
});
