import { seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import {
  addSkellamNoise,
  calibrateNoiseMultiplier,
  clipUpdate,
  composeRdp,
  EMPTY_LEDGER,
  gaussianRdp,
  rdpToEpsilon,
  recordRelease,
  roundedSensitivity,
  skellamRdp,
  spent,
  subsampledRdp,
  treeRdp,
} from './index.ts';

/** Integer-order references of differential-privacy.md: (q, z, T, δ) → ε. */
const REFERENCES = [
  { q: 0.04, z: 1.5, T: 2250, delta: 1e-5, epsilon: 7.329876774, source: 'exact, integer orders 2..256' },
  { q: 0.0025, z: 1.3, T: 6000, delta: 1e-5, epsilon: 0.724223402611, source: 'TF-Privacy' },
  { q: 0.001, z: 1, T: 30000, delta: 1e-7, epsilon: 1.41549884954, source: 'TF-Privacy' },
  { q: 0.01, z: 0.7, T: 120, delta: 1e-5, epsilon: 3.399407675, source: 'exact' },
  { q: 0.001, z: 0.8, T: 100, delta: 1e-6, epsilon: 1.371066893, source: 'exact' },
  { q: 0.05, z: 1.5, T: 100, delta: 1e-6, epsilon: 2.158881906, source: 'exact' },
  { q: 0.2, z: 3, T: 100, delta: 1e-6, epsilon: 3.643062676, source: 'exact' },
];

describe.each(REFERENCES)('RDP of q = $q, z = $z, T = $T ($source)', ({ q, z, T, delta, epsilon }) => {
  it('gives the reference ε to 1e-9 relative', () => {
    const rdp = composeRdp([{ rdp: subsampledRdp(gaussianRdp(z), q), times: T }]);
    expect(Math.abs(rdpToEpsilon(rdp, delta).epsilon / epsilon - 1)).toBeLessThan(1e-9);
  });
});

describe('other mechanisms', () => {
  it('Skellam: D2 = 100, D1 = 1000, µ = 2500, α = 4 gives 8.00304', () => {
    expect(skellamRdp({ l1: 1000, l2: 100, variance: 2500 })(4)).toBeCloseTo(8.00304, 5);
  });

  it('Skellam: scaled clip 16, z = 2, d = 256, T = 10, δ = 1e-6 gives 8.85691587207 (50 digits)', () => {
    const l2 = roundedSensitivity(16, 256, Number.POSITIVE_INFINITY);
    const l1 = Math.min(Math.sqrt(256) * l2, l2 * l2);
    const rdp = skellamRdp({ l1, l2, variance: (2 * l2) ** 2 });
    expect(rdpToEpsilon(composeRdp([{ rdp, times: 10 }]), 1e-6).epsilon).toBeCloseTo(8.85691587207, 8);
  });

  it('tree: 1600 steps, z = 8.83, δ = 1e-6 gives 1.77319244962 (Google)', () => {
    expect(rdpToEpsilon(treeRdp(8.83, 1600), 1e-6).epsilon).toBeCloseTo(1.77319244962, 9);
  });

  it('calibrates ε = 8, δ = 1e-5, T = 300, q = 100/6040 to z = .619108 by RDP (Google)', () => {
    expect(
      calibrateNoiseMultiplier({ epsilon: 8, dpDelta: 1e-5, rounds: 300, sampling: 100 / 6040 }),
    ).toBeCloseTo(0.619108, 4);
  });
});

describe('Skellam noise', () => {
  it.each([0.5, 9, 2_500, 65_536, 3e9])(
    'of variance %d has that variance within three percent over 1e5 lanes, and mean 0',
    (variance) => {
      // Relative deviation of a sample variance is √((2 + excess kurtosis)/n) ≤ √((2 + 1/µ)/1e5) < 0.0064 for µ ≥ 0.5: 3 % is above
      // 4.6 deviations (chance of a false alarm < 5e-6 each); the mean is within 5 deviations (6e-7).
      const lanes = new Uint32Array(100_000);
      addSkellamNoise(lanes, 0, lanes.length, variance, seededRandom(`noise ${variance}`));
      const signed = new Int32Array(lanes.buffer);
      const mean = signed.reduce((sum, x) => sum + x, 0) / signed.length;
      const observed = signed.reduce((sum, x) => sum + (x - mean) ** 2, 0) / signed.length;
      expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(variance / signed.length));
      expect(Math.abs(observed / variance - 1)).toBeLessThan(0.03);
    },
  );

  it('leaves lanes outside the range alone', () => {
    const lanes = new Uint32Array(10);
    addSkellamNoise(lanes, 2, 5, 100, seededRandom(1));
    expect([...lanes.subarray(0, 2), ...lanes.subarray(5)]).toEqual(new Array(7).fill(0));
  });
});

describe('clipping', () => {
  it('brings a longer update to the norm, from below, and leaves a shorter one alone', () => {
    const long = Float32Array.of(3, 4);
    const { delta, norm, clipped } = clipUpdate(long, 1);
    expect(norm).toBe(5);
    expect(clipped).toBe(true);
    expect(Math.hypot(...delta)).toBeLessThanOrEqual(1);
    expect(Math.hypot(...delta)).toBeGreaterThan(1 - 1e-6);
    expect([...long]).toEqual([3, 4]);
    expect([...clipUpdate(long, 5).delta]).toEqual([3, 4]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a clipping norm of %d', (norm) => {
    expect(() => clipUpdate(new Float32Array(1), norm)).toThrow('clipping norm');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses an update that holds %d', (value) => {
    expect(() => clipUpdate(Float32Array.of(0, value), 1)).toThrow('not finite');
  });
});

describe('the ledger', () => {
  it('composes releases, and claims amplification only where sampling was secret', () => {
    const release = { mechanism: 'gaussian', noiseMultiplier: 2, sampling: null } as const;
    const ledger = recordRelease(recordRelease(EMPTY_LEDGER, release), release);
    expect(spent(EMPTY_LEDGER, 1e-5)).toEqual({ coordinator: 0, readers: 0 });
    expect(spent(ledger, 1e-5).readers).toBeNull();
    expect(spent(ledger, 1e-5).coordinator).toBeCloseTo(
      rdpToEpsilon(gaussianRdp(Math.SQRT2), 1e-5).epsilon,
      9,
    );
    expect(EMPTY_LEDGER.releases).toEqual([]);
  });
});
