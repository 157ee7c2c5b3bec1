import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clipUpdate, InvalidUpdateError } from './index.ts';

const norm = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const vectors = fc
  .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 30 })
  .map((values) => Float32Array.from(values));

describe('clipping', () => {
  it('brings a longer update to the norm, from below, and leaves a shorter one alone', () => {
    const long = Float32Array.of(3, 4);
    const clippedLong = clipUpdate(long, 1);
    expect(clippedLong).toMatchObject({ norm: 5, clipped: true });
    expect(norm(clippedLong.delta)).toBeGreaterThan(1 - 1e-6);
    expect([...long]).toEqual([3, 4]);
    const short = clipUpdate(long, 5);
    expect(short).toEqual({ delta: long, norm: 5, clipped: false });
    expect(short.delta).not.toBe(long);
  });

  it('never leaves more than C, from denormals to the largest floats, and does not change its input (property)', () => {
    fc.assert(
      fc.property(vectors, fc.double({ min: 1e-44, max: 1e39, noNaN: true }), (delta, clippingNorm) => {
        const before = Float32Array.from(delta);
        const { delta: kept, norm: told, clipped } = clipUpdate(delta, clippingNorm);
        expect(norm(kept)).toBeLessThanOrEqual(clippingNorm);
        expect(Math.abs(told - norm(delta))).toBeLessThanOrEqual(1e-12 * told);
        expect(clipped).toBe(told > clippingNorm);
        if (!clipped) expect(kept).toEqual(before);
        expect(delta).toEqual(before);
      }),
      { numRuns: 500, seed: 12 },
    );
  });

  it('keeps the direction', () => {
    const { delta } = clipUpdate(Float32Array.of(30, -40, 0), 2);
    expect((delta[0] as number) / (delta[1] as number)).toBeCloseTo(-0.75, 6);
    expect(delta[2]).toBe(0);
  });

  it('takes the largest floats for what they are: their squares do not overflow', () => {
    expect(clipUpdate(new Float32Array(100).fill(3e38), 1).norm / 3e39).toBeCloseTo(1, 6);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a clipping norm of %d', (clippingNorm) => {
    expect(() => clipUpdate(new Float32Array(1), clippingNorm)).toThrow('clipping norm');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses an update that holds %d',
    (value) => {
      expect(() => clipUpdate(Float32Array.of(0, value), 1)).toThrow(InvalidUpdateError);
    },
  );
});
