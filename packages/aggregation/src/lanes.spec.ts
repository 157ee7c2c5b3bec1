import { l2Norm, seededRandom, UsageError } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chooseLaneScale,
  decodeSum,
  InvalidUpdateError,
  largestLaneMagnitude,
  layoutLanes,
  quantizeContribution,
} from './index.ts';

const scale = { delta: 2 ** 20, weight: 2 ** 16, metric: 2 ** 16 };
const layout = layoutLanes({ deltaLength: 3, metrics: ['loss', 'hr10'] });
const client = (delta: number[], weight = 1, metrics = {}) => ({
  delta: Float32Array.from(delta),
  weight,
  clipped: false,
  metrics,
});

describe('lanes', () => {
  it('stand as delta, row counts, weight, clip indicator, metrics', () => {
    expect(layoutLanes({ deltaLength: 6, rowCounts: 2, metrics: ['loss'] })).toMatchObject({
      offsets: { delta: 0, rowCounts: 6, weight: 8, clip: 9, metrics: 10 },
      length: 11,
    });
    expect(() => layoutLanes({ deltaLength: -1, metrics: [] })).toThrow('deltaLength is -1');
  });

  it('adding and then decoding gives the weighted mean, to one rounding a client', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }),
            fc.double({ min: 0.1, max: 1, noNaN: true }),
          ),
          { minLength: 1, maxLength: 20 },
        ),
        fc.integer(),
        (clients, seed) => {
          const sum = new Int32Array(layout.length);
          clients.forEach(([delta, weight], i) => {
            const words = quantizeContribution(
              layout,
              scale,
              client(delta, weight),
              seededRandom(seed).fork(i),
            );
            new Int32Array(words.buffer).forEach((word, lane) => (sum[lane] = (sum[lane] as number) + word));
          });
          const { meanDelta, totalWeight } = decodeSum(layout, scale, [sum], clients.length);
          const weights = clients.reduce((total, [, weight]) => total + weight, 0);
          expect(totalWeight).toBeCloseTo(weights, 3);
          for (let lane = 0; lane < 3; lane++) {
            const exact =
              clients.reduce((total, [delta, weight]) => total + weight * (delta[lane] as number), 0) /
              weights;
            expect(Math.abs((meanDelta[lane] as number) - exact)).toBeLessThan(
              clients.length / (weights * scale.delta) + 2e-4,
            );
          }
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });

  it('adds groups as if they were one', () => {
    const words = [0, 1, 2].map(
      (i) =>
        new Int32Array(quantizeContribution(layout, scale, client([i, -i, 0.5]), seededRandom(i)).buffer),
    );
    const whole = words[0]!.map((word, lane) => word + words[1]![lane]! + words[2]![lane]!);
    expect(decodeSum(layout, scale, words, 3)).toEqual(decodeSum(layout, scale, [whole], 3));
  });

  it('rounds without bias: the mean of 20000 roundings of 0.3 units is within 5 deviations (chance of a false alarm 6e-7)', () => {
    const one = layoutLanes({ deltaLength: 20_000, metrics: [] });
    const units = quantizeContribution(
      one,
      { ...scale, delta: 1 },
      client(Array.from({ length: 20_000 }, () => 0.3)),
      seededRandom(9),
    );
    const mean = units.subarray(0, 20_000).reduce((sum, word) => sum + word, 0) / 20_000;
    expect(Math.abs(mean - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / 20_000));
  });

  it('carries negative numbers, metrics and the clip indicator', () => {
    const words = quantizeContribution(
      layout,
      scale,
      { ...client([-0.25, 0, 1], 1, { loss: 0.5, hr10: 1 }), clipped: true },
      seededRandom(1),
    );
    const { meanDelta, metrics, clippedShare } = decodeSum(layout, scale, [new Int32Array(words.buffer)], 1);
    expect([...meanDelta]).toEqual([-0.25, 0, 1]);
    expect(metrics).toEqual({ loss: 0.5, hr10: 1 });
    expect(clippedShare).toBe(1);
  });

  it('shifts the clip indicator to ±½, and leaves its lane alone where it is not asked for', () => {
    const lane = (clipped?: boolean): number => {
      const { clipped: _, ...rest } = client([0, 0, 0]);
      const contribution = clipped === undefined ? rest : { ...rest, clipped };
      return new Int32Array(
        quantizeContribution(layout, scale, contribution, seededRandom(1)).buffer,
      )[4] as number;
    };
    expect([lane(false), lane(true), lane()]).toEqual([scale.weight / 2, -scale.weight / 2, 0]);
    const sum = new Int32Array(layout.length);
    sum[layout.offsets.weight] = 4 * scale.weight;
    sum[layout.offsets.clip] = 3 * lane(false) + lane(true);
    expect(decodeSum(layout, scale, [sum], 4).clippedShare).toBe(0.25);
    expect(decodeSum(layout, scale, [sum], 4, { clipIndicator: false }).clippedShare).toBeNull();
    const odd = { ...scale, weight: 1 };
    expect(() => quantizeContribution(layout, odd, client([0, 0, 0]), seededRandom(1))).toThrow(
      'has no half',
    );
  });

  it('divides each item row by the clients that touched it', () => {
    const rows = layoutLanes({ deltaLength: 4, rowCounts: 2, metrics: [] });
    const touched = (delta: number[], row: number[]) =>
      new Int32Array(
        quantizeContribution(
          rows,
          scale,
          { ...client(delta), touchedRows: Int32Array.from(row) },
          seededRandom(1),
        ).buffer,
      );
    const { meanDelta, rowCounts } = decodeSum(
      rows,
      scale,
      [touched([1, 1, 0, 0], [0]), touched([3, 3, 2, 2], [0, 1]), touched([0, 0, 0, 0], [])],
      3,
    );
    expect([...(rowCounts ?? [])]).toEqual([2, 1]);
    expect([...meanDelta].map((value) => Math.round(value * 1e4) / 1e4)).toEqual([2, 2, 2, 2]);
  });

  it.each([
    ['NaN', client([Number.NaN, 0, 0])],
    ['infinity', client([0, Number.POSITIVE_INFINITY, 0])],
    ['a weight of 0', client([0, 0, 0], 0)],
    ['a weight above 1', client([0, 0, 0], 1.5)],
    ['a metric above 1', client([0, 0, 0], 1, { loss: 1.1 })],
    ['a delta of another length', client([0, 0])],
    ['a row outside the table', { ...client([0, 0, 0]), touchedRows: Int32Array.of(9) }],
  ])('refuses %s', (name, contribution) => {
    const where = name.startsWith('a row')
      ? layoutLanes({ deltaLength: 3, rowCounts: 3, metrics: [] })
      : layout;
    expect(() => quantizeContribution(where, scale, contribution, seededRandom(1))).toThrow();
  });

  it('takes denormals, and leaves its input alone', () => {
    const delta = Float32Array.of(1e-45, -1e-45, 0);
    const before = Float32Array.from(delta);
    expect(quantizeContribution(layout, scale, { ...client([]), delta }, seededRandom(1))).toHaveLength(
      layout.length,
    );
    expect(delta).toEqual(before);
  });

  it.each([1, 40, 128, 447, 1_024, 2 ** 20])('have scales that fit 24 bits for groups of %d', (cohort) => {
    for (const noise of [true, false]) {
      const chosen = chooseLaneScale({ cohort, clippingNorm: 0.5, noise, deltaLength: 3, wordBits: 24 });
      const largest = cohort * largestLaneMagnitude(layout, chosen, 0.5);
      // An eighth of the signed half, 2^23, is left for noise.
      expect(largest).toBeLessThanOrEqual(7 * 2 ** 20);
      expect(cohort * (chosen.weight + 1)).toBeLessThanOrEqual(2 ** 21);
      if (noise)
        expect(0.5 * chosen.delta).toBe(
          Math.min(2 ** 14, 2 ** Math.floor(Math.log2((7 * 2 ** 20) / cohort - 1))),
        );
    }
  });

  it('have no scale for 24 bits and more than 2^20 clients', () => {
    const asked = { cohort: 2 ** 20 + 1, clippingNorm: 1, noise: true };
    expect(() => chooseLaneScale({ ...asked, wordBits: 24 })).toThrow('1 to 1048576');
    expect(chooseLaneScale(asked).delta).toBeGreaterThan(0);
  });

  it.each([1, 16, 40, 128, 1_024])('have scales that fit the ring for groups of %d', (cohort) => {
    for (const noise of [false, true]) {
      for (const clippingNorm of [0.01, 1, 25.6, 1_000]) {
        const chosen = chooseLaneScale({ cohort, clippingNorm, noise });
        expect(cohort * largestLaneMagnitude(layout, chosen, clippingNorm)).toBeLessThan(
          2 ** 30 + cohort * 2,
        );
        if (noise) expect(chosen.delta * clippingNorm).toBeCloseTo(2 ** 16, 6);
        else expect(Math.log2(chosen.delta) % 1).toBe(0);
      }
    }
  });

  it('leaves C·S alone for few lanes of noise, and lowers it where the cohort is too large', () => {
    const scaled = (cohort: number, deltaLength?: number) =>
      4 *
      chooseLaneScale({
        cohort,
        clippingNorm: 4,
        noise: true,
        ...(deltaLength === undefined ? {} : { deltaLength }),
      }).delta;
    expect(scaled(100, 2 ** 17)).toBe(2 ** 14);
    expect(scaled(100, 2 ** 17 + 1)).toBe(2 ** 16);
    expect(scaled(100)).toBe(2 ** 16);
    expect(scaled(2 ** 14)).toBe(2 ** 15);
    expect(chooseLaneScale({ cohort: 1, clippingNorm: 1e-30, noise: false }).delta).toBe(2 ** 31);
  });

  it.each([
    { cohort: 0, clippingNorm: 1 },
    { cohort: 1.5, clippingNorm: 1 },
    { cohort: 1, clippingNorm: 0 },
    { cohort: 1, clippingNorm: Number.POSITIVE_INFINITY },
    { cohort: 1, clippingNorm: Number.NaN },
  ])('have no scale for $cohort clients and C = $clippingNorm', (options) => {
    expect(() => chooseLaneScale({ ...options, noise: false })).toThrow(UsageError);
  });

  it('never exceed the largest magnitude that is told', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }),
        fc.integer(),
        (delta, seed) => {
          const norm = Math.max(Math.hypot(...delta), 0.01);
          for (const noise of [false, true]) {
            const chosen = chooseLaneScale({ cohort: 100, clippingNorm: norm, noise });
            const words = quantizeContribution(layout, chosen, client(delta), seededRandom(seed));
            for (const lane of new Int32Array(words.buffer))
              expect(Math.abs(lane)).toBeLessThanOrEqual(largestLaneMagnitude(layout, chosen, norm));
          }
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });
});

describe('rounding', () => {
  it('equals the slow version, lane by lane', () => {
    const random = seededRandom('rounding');
    const values = Float32Array.from({ length: 2_000 }, () => random.normal() / 1000);
    const slowWords = seededRandom('words');
    let four = 0;
    const slow = Array.from(values, (value, i) => {
      const lane = value * 0.7 * scale.delta;
      const share = lane - Math.floor(lane);
      if (i % 4 === 0) four = slowWords.uint32();
      // Up with chance `share`: where a uniform number, of which eight bits come first and 32 only if needed, is below it.
      const bits = Math.floor(four / 256 ** (i % 4)) % 256;
      const tie = bits === Math.floor(share * 256);
      const uniform = tie ? (bits + (slowWords.uint32() + 0.5) / 2 ** 32) / 256 : bits / 256;
      return Math.floor(lane) + (uniform < share ? 1 : 0);
    });
    const wide = layoutLanes({ deltaLength: values.length, metrics: [] });
    const random2 = seededRandom('words');
    const words = quantizeContribution(wide, scale, { ...client([], 0.7), delta: values }, random2);
    expect([...new Int32Array(words.buffer, 0, values.length)]).toEqual(slow);
  });

  it.each([0, 2 ** 32 - 1, 2 ** 31, 12345])('never moves a whole value (word %d)', (word) => {
    const whole = [1, -1, 0, -0, 2 ** 30, -(2 ** 30), 5, -7];
    const wide = layoutLanes({ deltaLength: whole.length, metrics: [] });
    const words = quantizeContribution(wide, { ...scale, delta: 1 }, client(whole), { uint32: () => word });
    expect([...new Int32Array(words.buffer, 0, whole.length)]).toEqual(whole.map((value) => value + 0));
  });

  it('rounds negative values without bias too (deviation 0.4; a false alarm in 2e6)', () => {
    const n = 50_000;
    const wide = layoutLanes({ deltaLength: n, metrics: [] });
    const value = -3.2; // variance of the rounding .2 · .8
    const delta = new Float32Array(n).fill(value);
    const words = quantizeContribution(
      wide,
      { ...scale, delta: 1 },
      { ...client([]), delta },
      seededRandom(5),
    );
    const lanes = new Int32Array(words.buffer, 0, n);
    expect(new Set(lanes)).toEqual(new Set([-3, -4]));
    const mean = lanes.reduce((sum, lane) => sum + lane, 0) / n;
    expect(Math.abs(mean - Math.fround(value))).toBeLessThan(5 * Math.sqrt(0.16 / n));
  });

  it('is decided by the stream and the arguments alone', () => {
    const words = () => quantizeContribution(layout, scale, client([0.1, 0.2, -0.3]), seededRandom(8));
    expect(words()).toEqual(words());
  });

  it('keeps the rounded norm within its bound: retries, and cuts towards zero when they fail', () => {
    const n = 400;
    const wide = layoutLanes({ deltaLength: n, metrics: [] });
    const contribution = { ...client([]), delta: new Float32Array(n).fill(0.5) }; // norm 10; rounded: mean square 200
    const normOf = (bound: number, seed: number): number => {
      const bounds = { roundedNorm: bound };
      const words = quantizeContribution(
        wide,
        { ...scale, delta: 1 },
        contribution,
        seededRandom(seed),
        bounds,
      );
      return Math.sqrt(new Int32Array(words.buffer, 0, n).reduce((sum, lane) => sum + lane * lane, 0));
    };
    const norms = Array.from({ length: 50 }, (_, seed) => normOf(Math.sqrt(195), seed));
    expect(Math.max(...norms)).toBeLessThanOrEqual(Math.sqrt(195));
    expect(Math.min(...norms)).toBeGreaterThan(12); // retried, not cut
    expect(normOf(10, 1)).toBe(0); // never met at random (10 deviations): cut to zero
  });

  it('refuses a bound that even cut lanes exceed', () => {
    const rounded = () =>
      quantizeContribution(layout, { ...scale, delta: 1 }, client([5, 0, 0]), seededRandom(1), {
        roundedNorm: 4,
      });
    expect(rounded).toThrow(InvalidUpdateError);
  });

  it('scales a delta longer than its clipping norm down to it, and leaves a shorter one alone (property)', () => {
    const n = 40;
    const wide = layoutLanes({ deltaLength: n, metrics: [] });
    const numbers = fc.array(fc.float({ min: -100, max: 100, noNaN: true }), { minLength: n, maxLength: n });
    const lanesOf = (delta: Float32Array, clippingNorm: number, known?: number) => {
      const bounds = { clippingNorm, ...(known === undefined ? {} : { norm: known }) };
      const contribution = { delta, weight: 1, metrics: {} };
      return new Int32Array(
        quantizeContribution(wide, { ...scale, delta: 4_096 }, contribution, seededRandom(1), bounds).buffer,
        0,
        n,
      );
    };
    fc.assert(
      fc.property(numbers, fc.double({ min: 0.01, max: 700, noNaN: true }), (values, clippingNorm) => {
        const delta = Float32Array.from(values);
        const norm = Math.hypot(...delta);
        const shrink = Math.min(1, clippingNorm / norm);
        const lanes = lanesOf(delta, clippingNorm);
        for (let i = 0; i < n; i++)
          expect(Math.abs((lanes[i] as number) - (delta[i] as number) * shrink * 4_096)).toBeLessThan(
            1 + 1e-9,
          );
        expect(Math.hypot(...lanes)).toBeLessThan(clippingNorm * 4_096 + Math.sqrt(n));
        expect(lanesOf(delta, clippingNorm, l2Norm(delta))).toEqual(lanes);
        if (norm < clippingNorm) expect(lanes).toEqual(lanesOf(delta, Number.POSITIVE_INFINITY));
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  it('refuses a delta outside the ring', () => {
    const quantize = (delta: number[]) => quantizeContribution(layout, scale, client(delta), seededRandom(1));
    expect(() => quantize([2048, 0, 0])).toThrow('does not fit the ring');
    expect(() => quantize([-2047, 0, 0])).not.toThrow();
    expect(() => quantize([3e38, 0, 0])).toThrow('does not fit the ring');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'names the delta and not the value for %d',
    (value) => {
      const quantize = () => quantizeContribution(layout, scale, client([0, value, 0]), seededRandom(1));
      expect(quantize).toThrow(expect.objectContaining({ name: 'InvalidUpdateError', field: 'delta' }));
    },
  );

  it('draws nothing for an update that it refuses', () => {
    const random = seededRandom(1);
    expect(() => quantizeContribution(layout, scale, client([Number.NaN, 0, 0]), random)).toThrow();
    expect(random.uint32()).toBe(seededRandom(1).uint32());
  });

  it('gives a tiny weight the smallest lane, and leaves out metrics that the layout does not name', () => {
    const words = quantizeContribution(layout, scale, client([0, 0, 0], 1e-9, { other: 7 }), seededRandom(1));
    expect([...words]).toEqual([0, 0, 0, 1, scale.weight / 2, 0, 0]);
  });
});

describe('row means', () => {
  // Two rows of width 2 from lane 1, one dense parameter before and one behind.
  const mixed = layoutLanes({ deltaLength: 6, rowCounts: 2, metrics: [] });
  const sum = Int32Array.of(8, 4, 2, 6, 6, 8, 2, 1, 4, 0); // four clients; rows touched by two and by one; S = weight = 1
  const one = { delta: 1, weight: 1, metric: 1 };

  it('divide the rows of an item table by their counts and everything else by Σw', () => {
    const { meanDelta } = decodeSum(mixed, one, [sum], 4, { rowTables: [{ offset: 1, width: 2 }] });
    expect([...meanDelta]).toEqual([2, 2, 1, 6, 6, 2]);
  });

  it('leave a row that nobody touched where it is', () => {
    const untouched = sum.map((lane, i) => (i === 7 ? 0 : lane));
    const { meanDelta } = decodeSum(mixed, one, [untouched], 4, { rowTables: [{ offset: 1, width: 2 }] });
    expect([...meanDelta]).toEqual([2, 2, 1, 0, 0, 2]);
  });

  it.each([[{ offset: 3, width: 2 }], [{ offset: -1, width: 2 }], [{ offset: 0, width: 0.5 }]])(
    'refuse the table %o',
    (table) => {
      expect(() => decodeSum(mixed, one, [sum], 4, { rowTables: [table] })).toThrow(
        'does not stand in 6 delta lanes',
      );
    },
  );

  it('need to be told the tables where the delta is not one', () => {
    const odd = layoutLanes({ deltaLength: 5, rowCounts: 2, metrics: [] });
    expect(() => decodeSum(odd, one, [new Int32Array(odd.length)], 1)).toThrow('rowTables');
  });
});

describe('decoding', () => {
  it('gives zeros where nobody is in the sum', () => {
    const { meanDelta, clippedShare } = decodeSum(layout, scale, [new Int32Array(layout.length)], 0);
    expect([...meanDelta, clippedShare]).toEqual([0, 0, 0, 0]);
  });

  it('adds groups beyond the range of one ring word', () => {
    const sum = new Int32Array(layout.length).fill(2 ** 31 - 1);
    expect(decodeSum(layout, scale, [sum, sum, sum], 3).totalWeight).toBe((3 * (2 ** 31 - 1)) / scale.weight);
  });

  it('refuses no sums, a sum of another length, and a broken count', () => {
    expect(() => decodeSum(layout, scale, [], 0)).toThrow('at least one group');
    expect(() => decodeSum(layout, scale, [new Int32Array(3)], 1)).toThrow(
      'a sum of 3 lanes; the layout has 7',
    );
    expect(() => decodeSum(layout, scale, [new Int32Array(7)], -1)).toThrow('-1 survivors');
  });
});
