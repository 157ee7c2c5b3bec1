import { systemRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exchange } from '../test/exchange.ts';
import { multiply } from './field.ts';
import { nodeCrypto } from './node.ts';
import { wrongValues } from './reed-solomon.ts';

/** Values at `points` of a polynomial of degree below `threshold`, and which of them were changed. */
const codeword = fc
  .record({
    coefficients: fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 12 }),
    spare: fc.integer({ min: 0, max: 9 }),
    order: fc.array(fc.nat(), { minLength: 21, maxLength: 21 }),
    changes: fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 21, maxLength: 21 }),
  })
  .map(({ coefficients, spare, order, changes }) => {
    const threshold = coefficients.length;
    const points = Array.from({ length: threshold + spare }, (_, i) => i + 1);
    const right = points.map((x) => coefficients.reduceRight((sum, c) => multiply(sum, x) ^ c, 0));
    const shuffled = points.map((_, i) => i).sort((a, b) => (order[a] ?? 0) - (order[b] ?? 0) || a - b);
    return { threshold, points, right, shuffled, changes };
  });

describe('wrongValues', () => {
  it('finds every wrong value as long as there are at most half as many as values to spare', () => {
    fc.assert(
      fc.property(codeword, fc.nat(), ({ threshold, points, right, shuffled, changes }, some) => {
        const most = Math.floor((points.length - threshold) / 2);
        const wrong = shuffled.slice(0, some % (most + 1)).sort((a, b) => a - b);
        const values = right.map((value, i) => (wrong.includes(i) ? value ^ (changes[i] ?? 1) : value));
        expect(wrongValues(points, values, threshold)).toEqual(wrong);
      }),
      { numRuns: 400 },
    );
  });

  it('never blames a right value while liars are few, even if they choose their values together', () => {
    // Two errors that cancel at 0 for the first t points fool whoever looks at the secret alone.
    const threshold = 3;
    const points = [1, 2, 3, 4, 5, 6, 7];
    const right = points.map((x) => multiply(multiply(x, x), 7) ^ multiply(x, 5) ^ 9);
    const values = right.map((value, i) => (i === 0 ? value ^ 1 : i === 1 ? value ^ 3 : value));
    expect(wrongValues(points, values, threshold)).toEqual([0, 1]);
  });
});

describe('an exchange with liars', () => {
  const N = 16;
  const random = systemRandom();
  const inputs = Array.from({ length: N }, (_, i) => Uint32Array.of(i, 2 * i, 0xffff_fff0 + i));
  const expected = inputs.reduce((sum, input) => sum.map((word, at) => word + (input[at] ?? 0)));
  const flipped = (reply: Uint8Array): Uint8Array =>
    reply.map((byte, at) => (at % 34 >= 2 && at % 5 === 0 ? byte ^ 0x5a : byte));

  // n = 16, t = 11: each secret comes back from 15 shares, four of them to spare.
  it.each([[[3]], [[1, 5]], [[1, 9]], [[0, 15]], [[14, 15]]])(
    '%o gives the exact sum and names them',
    (liars) => {
      const ended = exchange({
        inputs,
        drops: inputs.map(() => undefined),
        crypto: nodeCrypto,
        random,
        tamper: (client, reply) => (liars.includes(client) ? flipped(reply) : reply),
      });
      if (ended.phase !== 'summed') throw new Error(ended.reason);
      expect(ended.sum).toEqual(expected);
      const guilty = liars.map((liar) => ended.ids[liar] as string).sort();
      const order = [...ended.ids].sort();
      // The first t shares that came give the secret; a liar behind them may go unnoticed, and harms nobody.
      if (guilty.some((id) => order.indexOf(id as never) < 11)) expect(ended.culprits).toEqual(guilty);
      else expect(guilty).toEqual(expect.arrayContaining([...ended.culprits]));
    },
  );

  it('ends by name with more liars than anyone can tell apart', () => {
    const ended = exchange({
      inputs,
      drops: inputs.map(() => undefined),
      crypto: nodeCrypto,
      random,
      tamper: (client, reply) => (client < 6 ? flipped(reply) : reply),
    });
    expect(ended).toEqual({ phase: 'aborted', reason: 'unrecoverable-masks' });
  });
});
