import { seededRandom, UsageError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { fourierInPlace } from './fft.ts';
import {
  analyticGaussianEpsilon,
  calibrateNoiseMultiplier,
  composeRdp,
  gaussianRdp,
  pldEpsilon,
  rdpToEpsilon,
  subsampledRdp,
} from './index.ts';

// differential-privacy.md, reference values: PLD.
describe.each([
  { z: 1.5, q: 0.04, rounds: 2249, delta: 1e-5, epsilon: 6.767051, source: 'Google dp_accounting' },
  { z: 0.7, q: 0.01, rounds: 120, delta: 1e-5, epsilon: 2.4612381, source: 'TF-Privacy' },
  { z: 0.8, q: 0.001, rounds: 100, delta: 1e-6, epsilon: 0.260339, source: 'Google' },
  { z: 1.5, q: 0.05, rounds: 100, delta: 1e-6, epsilon: 1.943736, source: 'Google' },
  { z: 3, q: 0.2, rounds: 100, delta: 1e-6, epsilon: 3.371055, source: 'Google' },
  { z: 0.579266, q: 100 / 6040, rounds: 300, delta: 1e-5, epsilon: 8, source: 'Google, calibration' },
])('PLD of q = $q, z = $z, T = $rounds ($source)', ({ z, q, rounds, delta, epsilon }) => {
  it('is within 1e-4 of the reference, and below RDP', () => {
    const value = pldEpsilon({ noiseMultiplier: z, sampling: q, rounds }, delta);
    const rdp = composeRdp([{ rdp: subsampledRdp(gaussianRdp(z), q), times: rounds }]);
    expect(Math.abs(value - epsilon)).toBeLessThan(1e-4);
    expect(value).toBeLessThan(rdpToEpsilon(rdp, delta).epsilon);
  });
});

describe('PLD', () => {
  it('meets the analytic Gaussian from above as q goes to 1', () => {
    const exact = analyticGaussianEpsilon(2 / Math.sqrt(5), 1e-5);
    const value = pldEpsilon({ noiseMultiplier: 2, sampling: 1 - 1e-9, rounds: 5 }, 1e-5);
    expect(value - exact).toBeGreaterThan(-1e-6);
    expect(value - exact).toBeLessThan(1e-4);
    expect(pldEpsilon({ noiseMultiplier: 2, sampling: 1, rounds: 5 }, 1e-5)).toBe(exact);
  });

  it('of one round is its closed form: δ(ε) = q·δ₀(log(1 + (e^ε − 1)/q)) for a user removed', () => {
    // Amplification of one (ε₀, δ₀)-private Gaussian round, exact for this direction (Balle, Barthe & Gaboardi 2018).
    const [q, z, delta] = [0.1, 1, 1e-4];
    const inner = analyticGaussianEpsilon(z, delta / q);
    const value = pldEpsilon({ noiseMultiplier: z, sampling: q, rounds: 1 }, delta);
    expect(Math.abs(value - Math.log1p(q * Math.expm1(inner)))).toBeLessThan(1e-5);
  });

  it('falls back on RDP where float64 does not reach', () => {
    const value = pldEpsilon({ noiseMultiplier: 0.02, sampling: 0.5, rounds: 1 }, 1e-5);
    const rdp = rdpToEpsilon(subsampledRdp(gaussianRdp(0.02), 0.5), 1e-5).epsilon;
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThanOrEqual(rdp);
  });

  it('calibrates ε = 8, δ = 1e-5, T = 300, q = 100/6040 to z = .579266 (Google)', () => {
    const target = { epsilon: 8, dpDelta: 1e-5, rounds: 300, sampling: 100 / 6040 };
    const z = calibrateNoiseMultiplier({ ...target, accountant: 'pld' });
    expect(Math.abs(z - 0.579266)).toBeLessThan(1e-5);
    expect(pldEpsilon({ noiseMultiplier: z, ...target }, 1e-5)).toBeLessThanOrEqual(8);
  });

  it.each([
    { noiseMultiplier: 0, sampling: 0.1, rounds: 1 },
    { noiseMultiplier: 1, sampling: 0, rounds: 1 },
    { noiseMultiplier: 1, sampling: 0.1, rounds: 0 },
  ])('refuses %o', (mechanism) => {
    expect(() => pldEpsilon(mechanism, 1e-5)).toThrow(UsageError);
  });
});

describe('the transform', () => {
  it('equals the sum that defines it, and its inverse undoes it', () => {
    const random = seededRandom(1);
    const re = Float64Array.from({ length: 16 }, () => random.normal());
    const [a, b] = [Float64Array.from(re), new Float64Array(16)];
    fourierInPlace(a, b, -1);
    for (let k = 0; k < 16; k++) {
      const angle = (n: number) => (-2 * Math.PI * n * k) / 16;
      expect(a[k]).toBeCloseTo(
        re.reduce((sum, x, n) => sum + x * Math.cos(angle(n)), 0),
        12,
      );
      expect(b[k]).toBeCloseTo(
        re.reduce((sum, x, n) => sum + x * Math.sin(angle(n)), 0),
        12,
      );
    }
    fourierInPlace(a, b, 1);
    for (let n = 0; n < 16; n++) expect((a[n] as number) / 16).toBeCloseTo(re[n] as number, 12);
  });
});
