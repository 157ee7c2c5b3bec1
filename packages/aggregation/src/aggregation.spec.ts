import { seededRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chooseLaneScale,
  coordinateMedian,
  createStrategy,
  decodeStrategyState,
  decodeSum,
  encodeStrategyState,
  largestLaneMagnitude,
  layoutLanes,
  quantizeContribution,
  STRATEGY_NAMES,
  trimmedMean,
  type AggregatedUpdate,
  type StrategyName,
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
});

const update = (values: number[]): AggregatedUpdate => ({
  meanDelta: Float32Array.from(values),
  totalWeight: 1,
  clippedShare: 0,
  metrics: {},
  survivors: 1,
});

describe('strategies', () => {
  it('FedAvg adds the mean delta; FedAvgM remembers it', () => {
    const fedavg = createStrategy({ name: 'fedavg' });
    expect([...fedavg.apply(fedavg.init(2), Float32Array.of(1, 2), update([0.5, -1])).parameters]).toEqual([
      1.5, 1,
    ]);
    const fedavgm = createStrategy({ name: 'fedavgm', beta1: 0.5 });
    const one = fedavgm.apply(fedavgm.init(1), Float32Array.of(0), update([1]));
    expect([...fedavgm.apply(one.state, one.parameters, update([1])).parameters]).toEqual([2.5]);
  });

  it('the adaptive ones follow Reddi et al. 2021, Algorithm 2 (one coordinate, two steps, by hand)', () => {
    const [eta, b1, b2, tau] = [0.1, 0.9, 0.99, 1e-3];
    const deltas = [0.5, -0.2];
    const byHand = (second: (v: number, g2: number) => number, correct: boolean): number => {
      let [x, m, v] = [0, 0, 0];
      deltas.forEach((g, t) => {
        m = b1 * m + (1 - b1) * g;
        v = second(v, g * g);
        const [mh, vh] = correct ? [m / (1 - b1 ** (t + 1)), v / (1 - b2 ** (t + 1))] : [m, v];
        x += (eta * mh) / (Math.sqrt(vh) + tau);
      });
      return x;
    };
    const expected: Partial<Record<StrategyName, number>> = {
      fedadagrad: byHand((v, g2) => v + g2, false),
      fedadam: byHand((v, g2) => b2 * v + (1 - b2) * g2, true),
      fedyogi: byHand((v, g2) => v - (1 - b2) * g2 * Math.sign(v - g2), false),
    };
    for (const [name, value] of Object.entries(expected)) {
      const strategy = createStrategy({
        name: name as StrategyName,
        learningRate: eta,
        beta1: b1,
        beta2: b2,
        tau,
      });
      let [state, parameters] = [strategy.init(1), new Float32Array(1) as Float32Array];
      for (const delta of deltas)
        ({ state, parameters } = strategy.apply(state, parameters, update([delta])));
      expect(parameters[0]).toBeCloseTo(value, 5);
    }
  });

  it('weight decay pulls towards zero', () => {
    const strategy = createStrategy({ name: 'fedavg', weightDecay: 0.1 });
    expect(strategy.apply(strategy.init(1), Float32Array.of(2), update([0])).parameters[0]).toBeCloseTo(
      1.8,
      6,
    );
  });

  it.each(STRATEGY_NAMES)('%s leaves its inputs alone and survives its encoding, to the bit', (name) => {
    const strategy = createStrategy({ name });
    const parameters = Float32Array.of(1, -2, 3);
    const start = strategy.init(3);
    const first = strategy.apply(start, parameters, update([0.1, 0.2, -0.3]));
    expect([...parameters]).toEqual([1, -2, 3]);
    expect(start).toEqual(strategy.init(3));
    const revived = decodeStrategyState(encodeStrategyState(first.state));
    expect(revived).toEqual(first.state);
    expect(strategy.apply(revived, first.parameters, update([1, 1, 1]))).toEqual(
      strategy.apply(first.state, first.parameters, update([1, 1, 1])),
    );
  });

  it('refuses unknown names, unknown fields and values out of range, all at once', () => {
    expect(() => createStrategy({ name: 'sgd' as StrategyName })).toThrow('none of fedavg');
    expect(() =>
      createStrategy({ name: 'fedadam', learningRate: -1, beta1: 1, momentum: 3 } as never),
    ).toThrow(/momentum[^]*learningRate: -1[^]*beta1: 1/);
    const strategy = createStrategy({ name: 'fedavg' });
    expect(() => strategy.apply(strategy.init(1), new Float32Array(2), update([0, 0]))).toThrow(
      '2 parameters',
    );
  });

  it('state from outside is refused, never misread (fuzz)', () => {
    const good = encodeStrategyState(createStrategy({ name: 'fedadam' }).init(4));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.nat(good.length - 1),
        fc.nat(255),
        (bytes, at, byte) => {
          for (const input of [
            bytes,
            Uint8Array.from(good, (old, i) => (i === at ? byte : old)),
            good.slice(0, at),
          ]) {
            try {
              decodeStrategyState(input);
            } catch (error) {
              expect((error as Error).name).toBe('DecodeError');
            }
          }
        },
      ),
      { numRuns: 2_000, seed: 2 },
    );
  });
});

describe('robust combination', () => {
  const groups = [Float32Array.of(1, 10), Float32Array.of(2, 20), Float32Array.of(1000, -1000)];

  it('is not moved by one group', () => {
    expect([...coordinateMedian(groups)]).toEqual([2, 10]);
    expect([...trimmedMean(groups, 1)]).toEqual([2, 10]);
    expect([...coordinateMedian(groups.slice(0, 2))]).toEqual([1.5, 15]);
    expect([...groups[2]!]).toEqual([1000, -1000]);
  });

  it('refuses what leaves nothing', () => {
    expect(() => trimmedMean(groups, 2)).toThrow('leaves nothing');
    expect(() => coordinateMedian([])).toThrow('at least one');
  });
});
