import { UsageError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import {
  calibrateNoiseMultiplier,
  composeRdp,
  DEFAULT_ORDERS,
  gaussianRdp,
  rdpToEpsilon,
  roundedSensitivity,
  skellamRdp,
  subsampledRdp,
  treeRdp,
} from './index.ts';

const relative = (value: number, expected: number): number => Math.abs(value / expected - 1);

/** Integer-order references of differential-privacy.md: (q, z, T, δ) → ε. */
const REFERENCES: readonly {
  q: number;
  z: number;
  T: number;
  delta: number;
  epsilon: number;
  order?: number;
  source: string;
}[] = [
  {
    q: 0.04,
    z: 1.5,
    T: 2250,
    delta: 1e-5,
    epsilon: 7.329876774,
    order: 4,
    source: 'exact, integer orders 2..256',
  },
  { q: 0.0025, z: 1.3, T: 6000, delta: 1e-5, epsilon: 0.724223402611, order: 19, source: 'TF-Privacy' },
  { q: 0.001, z: 1, T: 30000, delta: 1e-7, epsilon: 1.41549884954, order: 13, source: 'TF-Privacy' },
  { q: 0.01, z: 0.7, T: 120, delta: 1e-5, epsilon: 3.399407675, source: 'exact' },
  { q: 0.001, z: 0.8, T: 100, delta: 1e-6, epsilon: 1.371066893, source: 'exact' },
  { q: 0.05, z: 1.5, T: 100, delta: 1e-6, epsilon: 2.158881906, source: 'exact' },
  { q: 0.2, z: 3, T: 100, delta: 1e-6, epsilon: 3.643062676, source: 'exact' },
];

describe.each(REFERENCES)('RDP of q = $q, z = $z, T = $T ($source)', ({ q, z, T, delta, epsilon, order }) => {
  it('gives the reference ε to 1e-9 relative', () => {
    const rdp = composeRdp([{ rdp: subsampledRdp(gaussianRdp(z), q), times: T }]);
    const spent = rdpToEpsilon(rdp, delta);
    expect(relative(spent.epsilon, epsilon)).toBeLessThan(1e-9);
    if (order !== undefined) expect(spent.order).toBe(order);
  });
});

describe('other mechanisms', () => {
  it('Skellam: D2 = 100, D1 = 1000, µ = 2500, α = 4 gives 8.00304', () => {
    expect(skellamRdp({ l1: 1000, l2: 100, variance: 2500 })(4)).toBeCloseTo(8.00304, 10);
  });

  it('Skellam: scaled clip 16, z = 2, d = 256, T = 10, δ = 1e-6 gives 8.85691587207 (50 digits)', () => {
    const l2 = roundedSensitivity(16, 256, Number.POSITIVE_INFINITY);
    const l1 = Math.min(Math.sqrt(256) * l2, l2 * l2);
    const rdp = skellamRdp({ l1, l2, variance: (2 * l2) ** 2 });
    expect(
      relative(rdpToEpsilon(composeRdp([{ rdp, times: 10 }]), 1e-6).epsilon, 8.85691587207),
    ).toBeLessThan(1e-9);
    const gaussian = composeRdp([{ rdp: gaussianRdp(2), times: 10 }]);
    expect(relative(rdpToEpsilon(gaussian, 1e-6).epsilon, 8.85538999316)).toBeLessThan(1e-9);
  });

  it('tree: 1600 steps, z = 8.83, δ = 1e-6 gives 1.77319244962 (Google)', () => {
    expect(relative(rdpToEpsilon(treeRdp(8.83, 1600), 1e-6).epsilon, 1.77319244962)).toBeLessThan(1e-9);
  });

  it('a tree of 2^k steps is one deeper than one of 2^k − 1', () => {
    expect([1, 2, 3, 4, 7, 8, 2 ** 40 - 1, 2 ** 40].map((steps) => treeRdp(1, steps)(2))).toEqual([
      1, 2, 2, 3, 3, 4, 40, 41,
    ]);
  });

  it('rounding: D2 is the smaller of the sure bound and the one that retries give', () => {
    // c = 16, d = 256, β = e^−½: √(256 + 64 + 1·(16 + 8)) = √344; β = 0: 16 + 16.
    expect(roundedSensitivity(16, 256)).toBeCloseTo(Math.sqrt(344), 12);
    expect(roundedSensitivity(16, 256, Number.POSITIVE_INFINITY)).toBe(32);
  });
});

describe('amplification', () => {
  it('equals the integral that defines it (Gaussian; midpoint rule on ±12 deviations)', () => {
    for (const [q, z, order] of [
      [0.1, 1, 2],
      [0.3, 0.8, 3],
      [0.04, 1.5, 8],
    ] as const) {
      let moment = 0;
      const width = 1e-3;
      for (let x = -12 + width / 2; x < 40; x += width) {
        const ratio = 1 - q + q * Math.exp((2 * x * z - 1) / (2 * z * z));
        moment += (width * Math.exp((-x * x) / 2) * ratio ** order) / Math.sqrt(2 * Math.PI);
      }
      expect(relative(subsampledRdp(gaussianRdp(z), q)(order), Math.log(moment) / (order - 1))).toBeLessThan(
        1e-9,
      );
    }
  });

  it('keeps its digits where it is tiny: order 2 is log(1 + q²·(exp(1/z²) − 1))', () => {
    for (const q of [1e-3, 1e-5, 1e-7]) {
      const exact = Math.log1p(q * q * Math.expm1(1 / 25));
      expect(relative(subsampledRdp(gaussianRdp(5), q)(2), exact)).toBeLessThan(1e-6);
    }
  });

  it('grows with q and ends at the whole', () => {
    const whole = gaussianRdp(2);
    const at = (q: number) => subsampledRdp(whole, q)(10);
    expect(at(0.01)).toBeLessThan(at(0.1));
    expect(at(1 - 1e-12)).toBeCloseTo(whole(10), 9);
    expect(subsampledRdp(whole, 1)(10)).toBe(whole(10));
  });

  it.each([0, -0.1, 1.1, Number.NaN])('refuses a sampling rate of %d', (q) => {
    expect(() => subsampledRdp(gaussianRdp(1), q)).toThrow(UsageError);
  });

  it('holds at whole orders only', () => {
    expect(() => subsampledRdp(gaussianRdp(1), 0.5)(2.5)).toThrow('whole orders');
  });
});

describe('ε', () => {
  it('skips orders at which the RDP is not finite, and is infinite where all are', () => {
    const rdp = (order: number) => (order === 7 ? 1 : Number.NaN);
    expect(rdpToEpsilon(rdp, 1e-5).order).toBe(7);
    expect(rdpToEpsilon(() => Number.POSITIVE_INFINITY, 1e-5).epsilon).toBe(Number.POSITIVE_INFINITY);
  });

  it('is never below 0', () => {
    expect(rdpToEpsilon(() => 0, 0.9).epsilon).toBe(0);
  });

  it.each([0, 1, -1, Number.NaN])('refuses δ = %d', (delta) => {
    expect(() => rdpToEpsilon(gaussianRdp(1), delta)).toThrow(UsageError);
  });

  it('orders run from 2 to 256', () => {
    expect([DEFAULT_ORDERS[0], DEFAULT_ORDERS.at(-1), DEFAULT_ORDERS.length]).toEqual([2, 256, 255]);
  });

  it.each([
    () => gaussianRdp(0),
    () => gaussianRdp(Number.NaN),
    () => treeRdp(1, 0),
    () => treeRdp(1, 1.5),
    () => skellamRdp({ l1: 1, l2: 1, variance: 0 }),
    () => roundedSensitivity(0, 1),
    () => roundedSensitivity(1, 0),
  ])('refuses a mechanism that cannot be (%#)', (make) => {
    expect(make).toThrow(UsageError);
  });
});

describe('calibration', () => {
  const target = { epsilon: 8, dpDelta: 1e-5, rounds: 300, sampling: 100 / 6040 };
  const epsilonAt = (z: number, { dpDelta, rounds, sampling }: typeof target) =>
    rdpToEpsilon(composeRdp([{ rdp: subsampledRdp(gaussianRdp(z), sampling), times: rounds }]), dpDelta)
      .epsilon;

  it('finds z = .619108 for ε = 8, δ = 1e-5, T = 300, q = 100/6040 (Google, RDP integer orders)', () => {
    expect(Math.abs(calibrateNoiseMultiplier(target) - 0.619108)).toBeLessThan(1e-6);
  });

  it.each([
    target,
    { epsilon: 0.1, dpDelta: 1e-6, rounds: 100, sampling: 1 },
    { epsilon: 50, dpDelta: 1e-5, rounds: 1, sampling: 1 },
  ])('gives the least z that keeps to the target: $epsilon', (wanted) => {
    const z = calibrateNoiseMultiplier(wanted);
    expect(epsilonAt(z, wanted)).toBeLessThanOrEqual(wanted.epsilon);
    expect(epsilonAt(z * (1 - 1e-5), wanted)).toBeGreaterThan(wanted.epsilon);
  });

  it('refuses an ε that no noise reaches at these orders, and values out of range', () => {
    // With order 256 at most, log(1/δ)/255 is left however much noise there is.
    expect(() => calibrateNoiseMultiplier({ ...target, epsilon: 1e-3 })).toThrow('no value up to');
    expect(() => calibrateNoiseMultiplier({ ...target, epsilon: 0 })).toThrow(UsageError);
    expect(() => calibrateNoiseMultiplier({ ...target, rounds: 0 })).toThrow(UsageError);
  });
});
