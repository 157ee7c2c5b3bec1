import { keepLocal, seededRandom } from '@tutti/base';
import type { LoadedModel } from '@tutti/model';
import type { RoundDescription } from '@tutti/protocol';
import { describe, expect, it } from 'vitest';
import { contribute } from './contribution.ts';
import { DEFAULT_POLICY, type Policy } from './policy.ts';
import type { DeviceOptions } from './ports.ts';

const LANES = 100_000;
const METRICS = ['loss', 'hr10'];

/** A model whose training gives `delta`. */
const modelOf = (delta: Float32Array): LoadedModel => ({
  train: async (local) => ({
    ...{ delta: Float32Array.from(delta), local: local ?? keepLocal(new Float32Array(1)) },
    ...{ loss: 0, examples: 1, touchedRows: keepLocal(new Int32Array(0)) },
  }),
  personalize: async () => keepLocal(new Float32Array(1)),
  score: async () => keepLocal(new Float32Array(1)),
  rank: () => Promise.reject(new Error('nobody asks')),
  dispose: () => undefined,
});

const device = (number: number, policy: Partial<Policy> = {}): DeviceOptions =>
  ({
    data: async () => ({ positives: keepLocal(new Int32Array(0)) }),
    words: (purpose: string) => seededRandom('contribution').fork(purpose, number),
    seeds: () => seededRandom('seeds'),
    policy: { ...DEFAULT_POLICY, ...policy },
  }) as unknown as DeviceOptions;

const described = (over: Partial<RoundDescription>): RoundDescription =>
  ({
    ...{ attempt: 1, purpose: 'train', clippingNorm: 1, clipIndicator: true },
    lanes: { delta: LANES, rowCounts: 0, metrics: METRICS, length: LANES + 4 },
    scale: { delta: 2 ** 14, weight: 64, metric: 64 },
    noise: { mechanism: 'none' },
    ...over,
  }) as RoundDescription;

const zeros: Float32Array = new Float32Array(LANES);
const signedInput = async (
  description: RoundDescription,
  number: number,
  delta = zeros,
  policy: Partial<Policy> = {},
) => {
  const { input } = await contribute(
    device(number, policy),
    description,
    { loaded: modelOf(delta) },
    undefined,
  );
  return new Int32Array(input.buffer);
};

const variance = (lanes: Int32Array): number =>
  lanes.reduce((sum, value) => sum + value * value, 0) / lanes.length;

describe('the noise of a sum', () => {
  const skellam = {
    mechanism: 'skellam',
    multiplier: 1,
    survivors: 5,
    deltaVariance: 40_000.5,
    clipVariance: 9,
    metricVariance: 2_500,
  } as const;

  it('has variance |U3|·µ within one percent over 1e5 lanes: seven devices, whoever they are', async () => {
    // A sample variance over 1e5 lanes has a relative deviation of .45 %: one percent is 2.2 of them, which a free seed exceeds in 3 % of runs.
    const description = described({ noise: skellam });
    const sum = new Int32Array(LANES + 4);
    for (let number = 0; number < 7; number++)
      (await signedInput(description, number)).forEach(
        (value, lane) => (sum[lane] = (sum[lane] as number) + value),
      );
    expect(Math.abs(variance(sum.subarray(0, LANES)) / (7 * skellam.deltaVariance) - 1)).toBeLessThan(0.01);
    expect(sum[LANES]).toBe(7 * 64); // weights say how many there are, and nothing else
  });

  it('is on the clip lane and on each metric lane with their own variance: 2,000 devices', async () => {
    // Relative deviation of a sample variance over 2,000: 3.2 %; five of them (false alarm 6e-7 each).
    const small = described({
      noise: skellam,
      lanes: { delta: 1, rowCounts: 0, metrics: METRICS, length: 5 },
    });
    const lanes = await Promise.all(
      Array.from({ length: 2_000 }, (_, number) => signedInput(small, number, new Float32Array(1))),
    );
    const of = (lane: number, mean = 0) =>
      variance(Int32Array.from(lanes, (values) => (values[lane] as number) - mean));
    expect(Math.abs(of(2, 32) / skellam.clipVariance - 1)).toBeLessThan(0.16);
    for (const lane of [3, 4]) expect(Math.abs(of(lane) / skellam.metricVariance - 1)).toBeLessThan(0.16);
  });

  it('is at least the device’s own floor, also where nobody asks for noise', async () => {
    const own = await signedInput(described({}), 1, zeros, { localNoiseMultiplier: 0.5 });
    // D2' of C·S = 2¹⁴ and 1e5 lanes.
    const sensitivity = Math.sqrt(2 ** 28 + LANES / 4 + (2 ** 14 + Math.sqrt(LANES) / 2));
    expect(Math.abs(variance(own.subarray(0, LANES)) / (0.5 * sensitivity) ** 2 - 1)).toBeLessThan(0.01);
  });
});

describe('the clip indicator', () => {
  const long = Float32Array.from(zeros);
  long[0] = 5;

  it('is +½ for an update within C, −½ for one above, and nothing where it is not asked for', async () => {
    const clip = async (delta: Float32Array, clipIndicator: boolean) =>
      (await signedInput(described({ clipIndicator }), 1, delta))[LANES + 1];
    expect([await clip(zeros, true), await clip(long, true), await clip(long, false)]).toEqual([32, -32, 0]);
  });
});

describe('rounding', () => {
  it('keeps to the sensitivity that noise is accounted with, whoever adds it', async () => {
    const random = seededRandom('rounding');
    const delta = Float32Array.from({ length: LANES }, () => random.normal());
    const central = { mechanism: 'gaussian', multiplier: 1, clipMultiplier: 0, metricMultiplier: 0 } as const;
    const coarse = described({ noise: central, scale: { delta: 64, weight: 64, metric: 64 } });
    const rounded = (await signedInput(coarse, 1, delta)).subarray(0, LANES);
    const limit = Math.sqrt(64 ** 2 + LANES / 4 + (64 + Math.sqrt(LANES) / 2));
    expect(Math.sqrt(variance(rounded) * LANES)).toBeLessThanOrEqual(limit);
  });
});

describe('training that came to no number', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    'adds zeros like a person without data (%s)',
    async (wrong) => {
      const delta = Float32Array.from(zeros);
      delta[LANES - 1] = wrong;
      delta[0] = 0.5;
      const lanes = await signedInput(described({}), 1, delta);
      expect(lanes.subarray(0, LANES).every((lane) => lane === 0)).toBe(true);
      // Weight, within the clipping norm, and the largest loss.
      expect([...lanes.subarray(LANES, LANES + 3)]).toEqual([64, 32, 64]);
    },
  );
});

describe('the lanes of a model of ratings', () => {
  it('hold the square of the error over ten, and whether there is a rating', async () => {
    const scored: LoadedModel = {
      ...modelOf(Float32Array.of(0)),
      score: async () => keepLocal(Float32Array.of(3, 9)),
    };
    const metrics = ['loss', 'hr10', 'squared-error', 'rated'];
    const description = described({
      lanes: { delta: 1, rowCounts: 0, metrics, length: 7 },
      scale: { delta: 2 ** 14, weight: 64, metric: 2 ** 20 },
    });
    const lanesOf = async (rating: number | undefined): Promise<number[]> => {
      const heldOut = keepLocal({
        ...{ item: 0, candidates: Int32Array.of(1) },
        ...(rating === undefined ? {} : { rating }),
      });
      const options = {
        ...device(0),
        data: async () => ({ positives: keepLocal(new Int32Array(0)), heldOut }),
      };
      const { input } = await contribute(options, description, { loaded: scored }, undefined);
      return [...new Int32Array(input.buffer).slice(-2)].map((lane) => lane / 2 ** 20);
    };
    expect(await lanesOf(5)).toEqual([expect.closeTo(0.04, 5), 1]);
    expect(await lanesOf(-100)).toEqual([1, 1]);
    expect(await lanesOf(undefined)).toEqual([0, 0]);
  });
});
