import { seededRandom, systemRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIVE, DROPS, exchange, SEMI_HONEST, type Drop } from '../test/exchange.ts';
import type { GraphRules } from './graph.ts';
import { nodeCrypto } from './node.ts';
import { portableCrypto } from './portable-crypto.ts';

/** Runs an exchange of `n` random inputs and dropouts, and holds its sum against the plain integer sum. */
function holdAgainstPlain(n: number, length: number, seed: number, rules: GraphRules, mostDropped: number) {
  const random = seededRandom(seed);
  const chance = random.float() * mostDropped;
  const drops = Array.from({ length: n }, (): Drop =>
    random.float() < chance ? DROPS[random.int(DROPS.length)] : undefined,
  );
  const inputs = Array.from({ length: n }, () => Uint32Array.from({ length }, () => random.uint32()));
  const result = exchange({ inputs, drops, rules, crypto: nodeCrypto, random: systemRandom() });
  if (result.phase === 'aborted') {
    expect(drops.filter((phase) => phase !== undefined).length).toBeGreaterThan(0);
    return 'aborted';
  }
  const expected = new Uint32Array(length);
  inputs.forEach((input, i) => {
    const drop = drops[i];
    const counted =
      drop === undefined ||
      drop === 'unmask' ||
      drop === 'survivors' ||
      // Only sparse groups reveal nonces.
      (drop === 'reveal-nonces' && n <= 128);
    if (counted) input.forEach((word, at) => (expected[at] = (expected[at] as number) + word));
  });
  expect(result.sum).toEqual(expected);
  expect(result.culprits).toEqual([]);
  return 'summed';
}

describe('a secure sum', () => {
  it.each([SEMI_HONEST, ACTIVE])(
    'equals the plain integer sum exactly, for any dropout pattern at every phase edge, n = 3..40 ($mode)',
    (rules) => {
      fc.assert(
        fc.property(
          fc.integer({ min: 3, max: 40 }),
          fc.integer({ min: 1, max: 40 }),
          fc.integer(),
          (n, length, seed) => void holdAgainstPlain(n, length, seed, rules, 0.3),
        ),
        { numRuns: 14, seed: 11 },
      );
    },
    120_000,
  );

  // A sparse graph is drawn above 128 members; at most 5 % drop out, which k and t are found for.
  it.each([
    { n: 129, rules: SEMI_HONEST, mode: SEMI_HONEST.mode },
    { n: 140, rules: ACTIVE, mode: ACTIVE.mode },
  ])(
    'equals it on a sparse graph of $n, and a lost round was lost to dropouts ($mode)',
    ({ n, rules }) => {
      const outcomes = [3, 4].map((seed) => holdAgainstPlain(n, 7, seed, rules, 0.05));
      expect(outcomes).toContain('summed');
    },
    120_000,
  );

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
