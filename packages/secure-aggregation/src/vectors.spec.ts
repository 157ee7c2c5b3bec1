import { describe, expect, it } from 'vitest';
import { buildVectors } from '../test/vectors.ts';
import { nodeCrypto } from './node.ts';
import { portableCrypto } from './portable-crypto.ts';

describe('the test vectors', () => {
  it.each([nodeCrypto, portableCrypto])('are what $name gives, to the last byte', async (crypto) => {
    await expect(`${JSON.stringify(buildVectors(crypto), null, 2)}\n`).toMatchFileSnapshot(
      '../../../vectors/secure-aggregation.json',
    );
  });

  it('end in the sum of the four that stayed', () => {
    const { exchange } = buildVectors(nodeCrypto) as {
      exchange: { clients: { input: number[]; masked: number[] | null }[]; sum: number[] };
    };
    const stayed = exchange.clients.filter(({ masked }) => masked !== null);
    expect(stayed).toHaveLength(4);
    const expected = new Uint32Array(4);
    for (const { input } of stayed) input.forEach((word, i) => (expected[i] = (expected[i] ?? 0) + word));
    expect(exchange.sum).toEqual([...expected]);
  });
});
