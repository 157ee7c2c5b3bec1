import { seededRandom } from '@tutti/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyToSliceInPlace,
  createStrategy,
  decodeSliceState,
  encodeSliceState,
  initSliceState,
  mostPopular,
  observeSlice,
  STRATEGY_NAMES,
  type SliceState,
  type StrategyState,
} from './index.ts';

const LENGTH = 6;

/** Which coordinates some rounds hold, and what they say. */
const rounds = fc.array(
  fc.array(fc.record({ at: fc.nat(LENGTH - 1), delta: fc.float({ min: -2, max: 2, noNaN: true }) }), {
    minLength: 1,
    maxLength: LENGTH,
  }),
  { maxLength: 12 },
);

describe.each(STRATEGY_NAMES)('a slice under %s', (name) => {
  const strategy = createStrategy({ name, weightDecay: 0.1 });

  it('leaves each coordinate where the strategy alone would, applied in the rounds that held it', () => {
    fc.assert(
      fc.property(rounds, (script) => {
        let state = strategy.init(LENGTH);
        const parameters = Float32Array.from({ length: LENGTH }, (_, i) => i - 2);
        const steps = new Uint32Array(LENGTH);
        const alone: ReturnType<typeof strategy.apply>[] = Array.from(parameters, (value) => ({
          state: strategy.init(1),
          parameters: Float32Array.of(value),
        }));
        for (const round of script) {
          const entries = [...new Map(round.map(({ at, delta }) => [at, delta]))];
          state = applyToSliceInPlace(strategy, state, parameters, {
            coordinates: Uint32Array.from(entries, ([at]) => at),
            steps: Uint32Array.from(entries, ([at]) => steps[at]!),
            meanDelta: Float32Array.from(entries, ([, delta]) => delta),
          });
          for (const [at, delta] of entries) {
            steps[at]!++;
            alone[at] = strategy.apply(alone[at]!.state, alone[at]!.parameters, {
              meanDelta: Float32Array.of(delta),
            });
          }
        }
        expect(parameters).toEqual(Float32Array.from(alone, (one) => one.parameters[0]!));
        for (const moment of ['first', 'second'] as const)
          expect([...state[moment]]).toEqual(alone.flatMap((one) => [...one.state[moment]]));
        expect(state.step).toBe(script.length);
      }),
    );
  });

  it('is the strategy itself where the slice is everything', () => {
    const random = seededRandom(name);
    const parameters = Float32Array.from({ length: 50 }, () => random.normal());
    const meanDelta = parameters.map(() => random.normal());
    const expected = strategy.apply(strategy.init(50), parameters, { meanDelta });
    const target = Float32Array.from(parameters);
    const state = applyToSliceInPlace(strategy, strategy.init(50), target, {
      coordinates: Uint32Array.from({ length: 50 }, (_, i) => i),
      steps: new Uint32Array(50),
      meanDelta,
    });
    expect({ state, parameters: target }).toEqual(expected);
  });
});

it('an update that does not fit is a broken call', () => {
  const strategy = createStrategy({ name: 'fedadam' });
  const apply = (coordinates: number[], steps: number[], state: StrategyState = strategy.init(2)) =>
    applyToSliceInPlace(strategy, state, new Float32Array(2), {
      coordinates: Uint32Array.from(coordinates),
      steps: Uint32Array.from(steps),
      meanDelta: Float32Array.of(1),
    });
  expect(() => apply([0, 1], [0])).toThrow('1 numbers for 2 coordinates with 1 counts');
  expect(() => apply([0], [])).toThrow('with 0 counts');
  expect(() => apply([2], [0])).toThrow('a coordinate outside a model of 2 parameters');
  expect(() => apply([0], [0], strategy.init(3))).toThrow('a state for 3 parameters does not fit 2');
  expect(apply([1], [0]).step).toBe(1);
});

describe('popularity', () => {
  it('is the mean of what was measured, and of about the last 32 rounds later on', () => {
    const rows = Uint32Array.of(1, 3);
    const measured = Float32Array.of(0.5, 0.25);
    const one = observeSlice(initSliceState(4), rows, measured);
    expect([...one.popularity]).toEqual([0, 0.5, 0, 0.25]);
    expect([...one.steps]).toEqual([0, 1, 0, 1]);
    const two = observeSlice(one, Uint32Array.of(0, 1), Float32Array.of(1, 1));
    expect([...two.popularity]).toEqual([1, 0.75, 0, 0.25]);
    let long = initSliceState(1);
    for (let i = 0; i < 32; i++) long = observeSlice(long, Uint32Array.of(0), Float32Array.of(1));
    expect(observeSlice(long, Uint32Array.of(0), Float32Array.of(0)).popularity[0]).toBeCloseTo(
      1 - 1 / 32,
      6,
    );
    expect([...initSliceState(2, 7).steps]).toEqual([7, 7]);
    expect(() => observeSlice(one, rows, Float32Array.of(1))).toThrow('1 popularity lanes for 2 rows');
    expect(() => observeSlice(one, Uint32Array.of(4), Float32Array.of(1))).toThrow(
      'outside a catalogue of 4',
    );
  });

  it('leaves the state that it is given alone', () => {
    const state = initSliceState(3);
    observeSlice(state, Uint32Array.of(2), Float32Array.of(1));
    expect(state).toEqual(initSliceState(3));
  });

  it('chooses the head: nothing outside it is more popular, and ties go to lower rows', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(-1, 0, 0, 0.5, 0.5, 2), { minLength: 1, maxLength: 40 }),
        fc.nat(40),
        (values, wanted) => {
          const count = Math.min(wanted, values.length);
          const popularity = Float32Array.from(values);
          const slow = values
            .map((value, row) => ({ value, row }))
            .sort((a, b) => b.value - a.value || a.row - b.row)
            .slice(0, count)
            .map(({ row }) => row)
            .sort((a, b) => a - b);
          expect([...mostPopular(popularity, count)]).toEqual(slow);
        },
      ),
    );
    expect(() => mostPopular(Float32Array.of(1), 2)).toThrow('2 of 1 rows');
  });
});

describe('the state of slices', () => {
  const state: SliceState = {
    steps: Uint32Array.of(3, 0, 4_000_000_000),
    popularity: Float32Array.of(0.5, -0.25, 1e-30),
    head: Uint32Array.of(0, 2),
  };

  it('comes back from its bytes to the bit', () => {
    expect(decodeSliceState(encodeSliceState(state), 3)).toEqual(state);
    expect(encodeSliceState(state)).toHaveLength(12 + 3 * 8 + 2 * 4);
    expect(decodeSliceState(encodeSliceState(initSliceState(5)), 5)).toEqual(initSliceState(5));
  });

  it.each([
    ['text', 'sliceState: is not binary'],
    [new Uint8Array(4), 'at least 12 are needed'],
    [new Uint8Array(12), 'sliceState.magic'],
    [encodeSliceState(initSliceState(2)), 'sliceState.items: is 2; 3 are expected'],
    [encodeSliceState(state).slice(0, -1), 'its lengths take 44'],
    [encodeSliceState({ ...state, popularity: Float32Array.of(1, 2, NaN) }), 'sliceState.popularity'],
    [encodeSliceState({ ...state, head: Uint32Array.of(2, 0) }), 'sliceState.head'],
    [encodeSliceState({ ...state, head: Uint32Array.of(0, 3) }), 'sliceState.head'],
  ])('is refused where it is none (%#)', (bytes, message) => {
    expect(() => decodeSliceState(bytes, 3)).toThrow(message);
  });
});
