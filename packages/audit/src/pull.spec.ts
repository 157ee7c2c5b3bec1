import { seededRandom } from '@tutti/base';
import { createModel, resolveModelConfig, type LoadedModel } from '@tutti/model';
import { describe, expect, it } from 'vitest';
import { times } from './matrix.ts';
import { rowOf, type PersonDelta, type Victims } from './people.ts';
import { exactPull, noisyPull, withoutPull } from './pull.ts';

const ITEMS = 200;
const WIDTH = 4;
const random = seededRandom('pull');
const model = createModel(
  resolveModelConfig({ family: 'mf', dimension: WIDTH }, { items: ITEMS, meanHistory: 10 }),
  ITEMS,
);
const shared = Float32Array.from({ length: model.layout.length }, () => random.normal());
const victims: Victims = {
  model,
  shared,
  loaded: {} as LoadedModel,
  train: { users: 1, items: ITEMS, offsets: Int32Array.of(0, 0), values: new Int32Array(0) },
  clippingNorm: 1,
  random,
};
const planted = Float64Array.from({ length: WIDTH * WIDTH }, () => random.normal());
const touched = new Set([3, 7]);
const somebody: PersonDelta = {
  user: 0,
  items: touched,
  touched,
  delta: new Float32Array(model.layout.length),
  vector: new Float32Array(WIDTH),
};

/** Every row is the planted map of its item's vector; touched rows have something of their own, and all have noise. */
function sum(noise: number): Float64Array {
  const out = new Float64Array(model.layout.length);
  for (let item = 0; item < ITEMS; item++)
    rowOf(model, out, item).set(times(planted, rowOf(model, shared, item)));
  for (const item of touched) rowOf(model, out, item).fill(9);
  const stream = seededRandom('noise');
  return out.map((value) => value + noise * stream.normal());
}

describe('what everybody adds to every row', () => {
  it('is found exactly in a sum without noise, and taken away', () => {
    const pull = exactPull(victims, [somebody], sum(0));
    pull.forEach((value, i) => expect(value).toBeCloseTo(planted[i] as number, 6));
    expect(Math.max(...withoutPull(victims, sum(0), 20, pull).map(Math.abs))).toBeLessThan(1e-6);
    expect(Math.max(...withoutPull(victims, sum(0), 3, pull).map(Math.abs))).toBeGreaterThan(1);
  });

  it('stays near what is expected where noise drowns it, and moves to what is seen where it does not', () => {
    const expected = planted.map((value) => value + 0.5);
    const off = (pull: Float64Array): number =>
      Math.max(...pull.map((value, i) => Math.abs(value - (expected[i] as number))));
    expect(off(noisyPull(victims, [somebody], sum(100), { expected, noiseVariance: 1e4 }))).toBeLessThan(0.1);
    const seen = noisyPull(victims, [somebody], sum(1e-3), { expected, noiseVariance: 1e-6 });
    seen.forEach((value, i) => expect(value).toBeCloseTo(planted[i] as number, 2));
  });

  it('is nothing for a family without it', () => {
    const none = new Float64Array(WIDTH * WIDTH);
    expect(noisyPull(victims, [somebody], sum(1), { expected: none, noiseVariance: 1 })).toEqual(none);
  });
});
