import { seededRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createStrategy,
  decodeStrategyState,
  encodeStrategyState,
  STRATEGY_DEFAULTS,
  STRATEGY_NAMES,
  type AggregatedUpdate,
  type StrategyName,
  type StrategySettings,
} from './index.ts';

const floats = fc
  .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 20 })
  .map((values) => Float32Array.from(values));

/** The bytes of a state with two coordinates, changed. */
function edited(change: (view: DataView) => void): Uint8Array {
  const bytes = encodeStrategyState({ step: 1, first: Float32Array.of(1, 2), second: Float32Array.of(3, 4) });
  change(new DataView(bytes.buffer));
  return bytes;
}

/** One coordinate in float64, as the papers have it: a pseudo-gradient that is subtracted. */
function slowCoordinate(settings: StrategySettings): (delta: number) => number {
  const { name, beta1, beta2, tau, weightDecay, decayRounds } = settings;
  let [x, m, t] = [0, 0, 0];
  let v = name === 'fedadam' ? 0 : tau ** 2;
  return (delta) => {
    const g = -delta + weightDecay * x;
    const learningRate =
      settings.learningRate / (decayRounds === 0 ? 1 : Math.min(10, (decayRounds + t) / decayRounds));
    t += 1;
    m = name === 'fedavgm' ? beta1 * m + g : beta1 * m + (1 - beta1) * g;
    if (name === 'fedavgm') return (x -= learningRate * m);
    if (name === 'fedadagrad') v += g * g;
    if (name === 'fedadam') v = beta2 * v + (1 - beta2) * g * g;
    if (name === 'fedyogi') v -= (1 - beta2) * g * g * Math.sign(v - g * g);
    const [mHat, vHat] = name === 'fedadam' ? [m / (1 - beta1 ** t), v / (1 - beta2 ** t)] : [m, v];
    return (x -= (learningRate * mHat) / (Math.sqrt(vHat) + tau));
  };
}

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

  it('the adaptive ones follow Reddi et al. 2021, Algorithm 2 (one coordinate, two steps, by hand; v starts at τ²)', () => {
    const [eta, b1, b2, tau] = [0.1, 0.9, 0.99, 1e-3];
    const deltas = [0.5, -0.2];
    const byHand = (second: (v: number, g2: number) => number, correct: boolean): number => {
      let [x, m, v] = [0, 0, correct ? 0 : tau * tau];
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
      expect(Math.abs((parameters[0] as number) / value - 1)).toBeLessThan(2e-7);
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

  it('a decaying rate halves after decayRounds, and stays a tenth of what it was', () => {
    const strategy = createStrategy({ name: 'fedavg', learningRate: 0.5, decayRounds: 40 });
    const rateAt = (step: number) =>
      strategy.apply({ ...strategy.init(1), step }, new Float32Array(1), update([1])).parameters[0] ?? NaN;
    expect([0, 40, 120].map(rateAt)).toEqual([0.5, 0.25, 0.125]);
    expect(rateAt(360)).toBeCloseTo(0.05, 7);
    expect(rateAt(1_000_000)).toBeCloseTo(0.05, 7);
    for (const decayRounds of [-1, NaN, 1e7])
      expect(() => createStrategy({ name: 'fedavg', decayRounds })).toThrow('strategy.decayRounds');
  });

  it('refuses unknown names, unknown fields and values out of range, all at once', () => {
    expect(() => createStrategy({ name: 'sgd' as StrategyName })).toThrow('none of fedavg');
    expect(() =>
      createStrategy({ name: 'fedadam', learningRate: -1, beta1: 1, momentum: 3 } as never),
    ).toThrow(/momentum[^]*learningRate: -1[^]*beta1: 1/);
    const strategy = createStrategy({ name: 'fedavg' });
    expect(() => strategy.apply(strategy.init(2), new Float32Array(2), update([0]))).toThrow('2 parameters');
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

  it('adaptive steps follow a slow readable version over ten rounds, to the rounding of float32', () => {
    const random = seededRandom('strategies');
    for (const name of ['fedavgm', 'fedadagrad', 'fedadam', 'fedyogi'] as const) {
      const strategy = createStrategy({ name, beta1: 0.8, tau: 0.01, weightDecay: 0.3, decayRounds: 3 });
      let [state, parameters] = [strategy.init(5), new Float32Array(5) as Float32Array];
      const slow = Array.from({ length: 5 }, () => slowCoordinate(strategy.config));
      for (let round = 0; round < 10; round++) {
        const delta = Array.from({ length: 5 }, () => Math.fround(random.normal()));
        ({ state, parameters } = strategy.apply(state, parameters, update(delta)));
        const expected = slow.map((coordinate, i) => coordinate(delta[i] as number));
        for (const [i, value] of expected.entries())
          expect(Math.abs((parameters[i] as number) - value)).toBeLessThan(2e-5 * (1 + Math.abs(value)));
      }
      expect(state.step).toBe(10);
    }
  });

  it('a state keeps what its strategy needs, and nothing else', () => {
    const kept = (name: StrategyName) => {
      const { first, second } = createStrategy({ name }).init(3);
      return [first.length, second.length];
    };
    expect(STRATEGY_NAMES.map(kept)).toEqual([
      [0, 0],
      [3, 0],
      [0, 3],
      [3, 3],
      [3, 3],
      [0, 0],
    ]);
    const adam = createStrategy({ name: 'fedadam' });
    const plain = createStrategy({ name: 'fedavg' });
    expect(() => adam.apply(plain.init(3), new Float32Array(3), update([0, 0, 0]))).toThrow('init gives one');
    expect(plain.apply(adam.init(1), Float32Array.of(1), update([2])).parameters[0]).toBe(3);
  });

  it('in place gives the same to the bit, in the same memory', () => {
    const random = seededRandom('in place');
    const draw = (): Float32Array => Float32Array.from({ length: 7 }, () => random.normal());
    for (const name of STRATEGY_NAMES) {
      const strategy = createStrategy({ name, weightDecay: 0.1 });
      const state = { step: 3, first: draw(), second: draw().map((value) => value * value) };
      const [parameters, meanDelta] = [draw(), draw()];
      const next = strategy.apply(state, parameters, { meanDelta });
      const kept = strategy.applyInPlace(state, parameters, { meanDelta });
      expect({ state: kept, parameters }).toEqual(next);
      if (kept.first.length > 0) expect(kept.first).toBe(state.first);
      if (kept.second.length > 0) expect(kept.second).toBe(state.second);
    }
  });

  it('refuses to make a model that is not finite', () => {
    const strategy = createStrategy({ name: 'fedavg', learningRate: 1000 });
    const apply = (value: number) => strategy.apply(strategy.init(1), new Float32Array(1), update([value]));
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e38])
      expect(() => apply(value)).toThrow('not finite');
    expect(() => apply(1e35)).not.toThrow();
  });

  it('leaves a default in place where a field is undefined', () => {
    const config = { name: 'fedadam', learningRate: undefined } as unknown as { name: 'fedadam' };
    expect(createStrategy(config).config).toEqual(STRATEGY_DEFAULTS.fedadam);
  });

  it('an encoded state is exact to the bit (any finite float32) and has one form', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), floats, floats, (step, first, second) => {
        const state = { step, first, second: second.map((value) => Math.abs(value)) };
        const bytes = encodeStrategyState(state);
        const shifted = new Uint8Array(bytes.length + 3);
        shifted.set(bytes, 3);
        const decoded = decodeStrategyState(shifted.subarray(3));
        expect(decoded).toEqual(state);
        expect(encodeStrategyState(decoded)).toEqual(bytes);
        expect(Object.is(decoded.first[0], state.first[0])).toBe(true);
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  it.each([
    ['text', 'TSS2', 'strategyState'],
    ['too few bytes', new Uint8Array(15), 'strategyState'],
    ['another magic', edited((view) => view.setUint8(3, 0x31)), 'strategyState.magic'],
    ['a length too large', edited((view) => view.setUint32(8, 0xffff_ffff, true)), 'strategyState'],
    ['one byte more', Uint8Array.of(...edited(() => undefined), 0), 'strategyState'],
    ['NaN', edited((view) => view.setFloat32(16, Number.NaN, true)), 'strategyState.first'],
    [
      'infinity',
      edited((view) => view.setFloat32(24, Number.POSITIVE_INFINITY, true)),
      'strategyState.second',
    ],
    ['a second moment below 0', edited((view) => view.setFloat32(24, -1, true)), 'strategyState.second'],
  ])('a stored state with %s is refused, naming the field', (_name, bytes, field) => {
    expect(() => decodeStrategyState(bytes)).toThrow(expect.objectContaining({ name: 'DecodeError', field }));
  });

  it('refuses a step that its bytes cannot hold', () => {
    const state = { step: 2 ** 32, first: new Float32Array(0), second: new Float32Array(0) };
    expect(() => encodeStrategyState(state)).toThrow('below 2^32');
  });
});
