import { describe, expect, it } from 'vitest';
import { Vectors } from './vectors.ts';

describe('vectors that uploads are put together in', () => {
  it('serve again once they are done with, and have nothing of before in them', () => {
    const vectors = new Vectors();
    const first = vectors.take(4).fill(7);
    expect(vectors.take(4)).not.toBe(first);
    vectors.giveBack(first);
    expect(first).toEqual(new Uint32Array(4));
    expect(vectors.take(4)).toBe(first);
    expect(vectors.take(4)).not.toBe(first);
  });

  it('are of the length that is asked for: those of another round are forgotten', () => {
    const vectors = new Vectors();
    const old = vectors.take(4);
    vectors.giveBack(old);
    expect(vectors.take(5)).toHaveLength(5);
    expect(vectors.take(4)).not.toBe(old);
    vectors.giveBack(new Uint32Array(4));
    vectors.giveBack(new Uint32Array(5));
    expect(vectors.take(5)).toHaveLength(5);
  });

  it('are kept up to 16 MiB', () => {
    const vectors = new Vectors();
    const made = Array.from({ length: 5 }, () => vectors.take(2 ** 20));
    for (const one of made) vectors.giveBack(one);
    const again = new Set(Array.from({ length: 5 }, () => vectors.take(2 ** 20)));
    // Four of four MiB each; the fifth is new.
    expect(made.filter((one) => again.has(one))).toHaveLength(4);
  });
});
