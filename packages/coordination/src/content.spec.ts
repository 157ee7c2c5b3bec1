import { seededRandom, utf8 } from '@tutti/base';
import { createStrategy } from '@tutti/aggregation';
import {
  contentFeatures,
  createModel,
  resolveModelConfig,
  type ContentConfig,
  type ItemContent,
  type ItemFeatures,
} from '@tutti/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { smallTask } from '../test/small-task.ts';
import { ContentModel, contentOf, contentUpdateOf, type ContentOptions } from './content-model.ts';
import { decodeContentState, encodeContentState, type ContentState } from './content-state.ts';
import { problemsOfTask } from './task-problems.ts';

const ITEMS = 12;
const D = 3;
const GENRES = ['war', 'love', 'music'];
const contentOfItems = (items: number): ItemContent => ({
  ids: Array.from({ length: items }, (_, item) => `film-${item}`),
  genres: Array.from({ length: items }, (_, item) => [GENRES[item % 3] as string]),
});
const modelOf = (items: number) =>
  createModel(
    resolveModelConfig({ family: 'content', dimension: D, buckets: 32 }, { items, meanHistory: 3 }),
    items,
  );
const openModel = (items = ITEMS, over: Partial<ContentOptions> = {}): ContentModel =>
  new ContentModel({
    model: modelOf(items),
    strategy: { name: 'fedavg', learningRate: 0.5, weightDecay: 0.01 },
    content: contentOfItems(items),
    seed: '1',
    ...over,
  });

/** What a cohort sends whose people touched `touched`, as a mean: (1 − s)·w for their items, w ⊗ w behind the table. */
function meanOf(
  shared: Float32Array,
  touched: readonly (readonly number[])[],
  rows: Uint32Array,
): Float32Array {
  const packed = (D * (D + 1)) / 2;
  const mean = new Float32Array(rows.length * D + packed);
  touched.forEach((items, person) => {
    const random = seededRandom('person').fork(person);
    const w = Float32Array.from({ length: D }, () => 0.6 + 0.3 * random.normal());
    for (const item of items) {
      const at = rows.indexOf(item);
      if (at < 0) continue;
      const score = w.reduce((sum, value, k) => sum + value * shared[item * D + k]!, 0);
      for (let k = 0; k < D; k++) mean[at * D + k]! += ((1 - score) * w[k]!) / touched.length;
    }
    let to = rows.length * D;
    for (let i = 0; i < D; i++) for (let j = 0; j <= i; j++) mean[to++]! += (w[i]! * w[j]!) / touched.length;
  });
  return mean;
}

const all = (items: number): Uint32Array => Uint32Array.from({ length: items }, (_, row) => row);
const PEOPLE = [[0, 3], [3, 4, 6], [0, 1], [9, 3], [4]];
const TOUCHED = new Set(PEOPLE.flat());

function run(
  model: ContentModel,
  rounds: number,
  items = ITEMS,
): { shared: Float32Array; state: ContentState } {
  const shared = model.first();
  let state = model.init();
  for (let round = 0; round < rounds; round++) {
    const meanDelta = meanOf(shared, PEOPLE, all(items));
    state = model.stepInPlace(state, shared, { meanDelta, rows: all(items), noiseStddev: 0 });
  }
  return { shared, state };
}

/** X·P of one item, slowly. */
function saidOf(features: ItemFeatures, weights: Float32Array, item: number): number[] {
  return Array.from({ length: D }, (_, k) => {
    let sum = 0;
    for (let n = features.offsets[item]!; n < features.offsets[item + 1]!; n++)
      sum += features.values[n]! * weights[features.columns[n]! * D + k]!;
    return sum;
  });
}

const features = contentFeatures(modelOf(ITEMS).config as ContentConfig, contentOfItems(ITEMS));

describe('a step of a content model', () => {
  it('leaves a row that nobody touched at what its content says, however many rounds go by', () => {
    const { shared, state } = run(openModel(ITEMS, { strategy: { name: 'fedadam', learningRate: 0.1 } }), 30);
    for (let item = 0; item < ITEMS; item++) {
      const said = saidOf(features, state.weights, item);
      const off = Math.max(...said.map((value, k) => Math.abs(value - shared[item * D + k]!)));
      if (TOUCHED.has(item)) expect(off, `${item}`).toBeGreaterThan(1e-3);
      else expect(off, `${item}`).toBeLessThan(1e-5);
      expect(state.steps[item]).toBe(TOUCHED.has(item) ? 30 : 0);
    }
  });

  it('is plain gradient descent on E and on P, written slowly', () => {
    const model = openModel();
    const { shared, state } = run(model, 3);
    // The same in float64, dense: D = B − a0·G·h where somebody touched the row, E += η(D − decay·E), P += η(XᵀD − decay·P).
    const { unobservedWeight: a0 } = modelOf(ITEMS).config as ContentConfig;
    const p = Array.from(model.init().weights);
    const e = Array.from({ length: ITEMS * D }, () => 0);
    const h = (): Float32Array =>
      Float32Array.from(e, (value, at) => {
        const item = Math.floor(at / D);
        return value + saidOf(features, Float32Array.from(p), item)[at % D]!;
      });
    for (let round = 0; round < 3; round++) {
      const now = h();
      const mean = meanOf(now, PEOPLE, all(ITEMS));
      const square = (i: number, j: number): number => {
        const [high, low] = [Math.max(i, j), Math.min(i, j)];
        return mean[ITEMS * D + (high * (high + 1)) / 2 + low]!;
      };
      const gradient = e.map((_, at) => {
        const item = Math.floor(at / D);
        if (!TOUCHED.has(item)) return 0;
        let pull = 0;
        for (let j = 0; j < D; j++) pull += square(at % D, j) * now[item * D + j]!;
        return mean[at]! - a0 * pull;
      });
      const ofP = p.map(() => 0);
      for (let item = 0; item < ITEMS; item++)
        for (let n = features.offsets[item]!; n < features.offsets[item + 1]!; n++)
          for (let k = 0; k < D; k++)
            ofP[features.columns[n]! * D + k]! += features.values[n]! * gradient[item * D + k]!;
      e.forEach((value, at) => {
        if (TOUCHED.has(Math.floor(at / D))) e[at] = value + 0.5 * (gradient[at]! - 0.01 * value);
      });
      p.forEach((value, at) => (p[at] = value + 0.5 * (ofP[at]! - 0.01 * value)));
    }
    const expected = h();
    shared.subarray(0, ITEMS * D).forEach((value, at) => expect(value).toBeCloseTo(expected[at]!, 5));
    state.weights.forEach((value, at) => expect(value).toBeCloseTo(p[at]!, 5));
    expect([...shared.subarray(ITEMS * D)].every((value) => value === 0)).toBe(true);
  });

  it('tells touched rows from others by the sum alone, whoever is in it', () => {
    const cohorts = fc.array(fc.uniqueArray(fc.nat({ max: ITEMS - 1 }), { maxLength: 5 }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(cohorts, (cohort) => {
        const model = openModel();
        const shared = model.first();
        const meanDelta = meanOf(shared, cohort, all(ITEMS));
        const state = model.stepInPlace(model.init(), shared, {
          meanDelta,
          rows: all(ITEMS),
          noiseStddev: 0,
        });
        const touched = new Set(cohort.flat());
        for (let item = 0; item < ITEMS; item++) if (!touched.has(item)) expect(state.evidence[item]).toBe(0);
        // Where people like different things one row in many can cancel out; never all of them.
        if (touched.size > 0) expect(state.steps.some((steps) => steps === 1)).toBe(true);
      }),
    );
  });

  it('does not take noise for a touch: 3 of its deviations, over all rounds', () => {
    const model = openModel();
    const shared = model.first();
    let state = model.init();
    const random = seededRandom('noise');
    const before = model.init().steps.length;
    for (let round = 0; round < 40; round++) {
      const clean = meanOf(shared, PEOPLE, all(ITEMS));
      const meanDelta = clean.map((value) => value + 0.05 * random.normal());
      state = model.stepInPlace(state, shared, { meanDelta, rows: all(ITEMS), noiseStddev: 0.05 });
    }
    expect(before).toBe(ITEMS);
    for (let item = 0; item < ITEMS; item++)
      if (TOUCHED.has(item)) expect(state.steps[item], `${item}`).toBeGreaterThan(20);
      else expect(state.steps[item], `${item}`).toBeLessThan(4);
  });

  it('of a slice moves its own rows, and every row by what all have in common', () => {
    const model = openModel();
    const shared = model.first();
    const before = shared.slice();
    const rows = Uint32Array.of(0, 3, 7);
    const meanDelta = meanOf(shared, PEOPLE, rows);
    const state = model.stepInPlace(model.init(), shared, { meanDelta, rows, noiseStddev: 0 });
    expect([...state.steps]).toEqual([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect([...state.rounds].map((count) => count > 0)).toEqual(
      all(ITEMS).reduce<boolean[]>((list, row) => [...list, rows.includes(row)], []),
    );
    for (let at = 0; at < ITEMS * D; at++) expect(shared[at]).not.toBe(before[at]);
    const said = saidOf(features, state.weights, 5);
    said.forEach((value, k) => expect(shared[5 * D + k]).toBeCloseTo(value, 6));
  });

  it('takes everybody with nothing, and one item', () => {
    const model = openModel(1);
    const shared = model.first();
    const nothing = new Float32Array(shared.length);
    const state = model.stepInPlace(model.init(), shared, {
      meanDelta: nothing,
      rows: all(1),
      noiseStddev: 0,
    });
    expect([...state.steps]).toEqual([0]);
    expect([...shared].every(Number.isFinite)).toBe(true);
  });
});

describe('the state of a content model', () => {
  const { state } = run(openModel(ITEMS, { strategy: { name: 'fedadam' } }), 2);
  const form = { items: ITEMS, weights: state.weights.length };
  const bytes = encodeContentState(state);

  it('comes back from bytes to the bit', () => {
    expect(decodeContentState(bytes, form)).toEqual(state);
    expect(encodeContentState(decodeContentState(bytes, form))).toEqual(bytes);
  });

  it.each([
    ['what is no bytes', 5, 'contentState: is not binary'],
    ['too few', bytes.slice(0, 40), 'at least'],
    ['other bytes', bytes.map((byte, at) => (at === 0 ? 0 : byte)), 'contentState.magic'],
    [
      'a number that is none',
      bytes.map((byte, at) => (at >= 16 && at < 20 ? 255 : byte)),
      'contentState.weights',
    ],
    ['a state cut short', bytes.slice(0, -4), 'strategyState'],
  ])('is refused: %s', (_, given, message) => expect(() => decodeContentState(given, form)).toThrow(message));

  it('is refused for another catalogue', () =>
    expect(() => decodeContentState(bytes, { ...form, items: 11 })).toThrow('is of 12 items'));
});

describe('a content model whose catalogue grows', () => {
  it('keeps what was touched to the bit; the others, old and new, are what their content says now', () => {
    const strategy = { name: 'fedadam', learningRate: 0.05 } as const;
    const { shared, state } = run(openModel(ITEMS, { strategy }), 4);
    const more = openModel(15, {
      strategy,
      content: { ...contentOfItems(15), titles: contentOfItems(15).ids.map((id) => `now called ${id}`) },
    });
    const grown = more.grown(encodeContentState(state), shared, ITEMS);
    const next = decodeContentState(grown.state, { items: 15, weights: state.weights.length });
    expect(next.weights).toEqual(state.weights);
    expect(next.content).toEqual(state.content);
    expect([...next.steps]).toEqual([...state.steps, 0, 0, 0]);
    const now = contentFeatures(modelOf(15).config as ContentConfig, {
      ...contentOfItems(15),
      titles: contentOfItems(15).ids.map((id) => `now called ${id}`),
    });
    for (let item = 0; item < 15; item++) {
      const row = grown.shared.subarray(item * D, (item + 1) * D);
      if (TOUCHED.has(item)) expect(row).toEqual(shared.subarray(item * D, (item + 1) * D));
      else saidOf(now, state.weights, item).forEach((value, k) => expect(row[k]).toBeCloseTo(value, 6));
    }
  });

  it('has its first weights, where no round was made', () => {
    const more = openModel(15);
    const { shared, state } = more.grown(undefined, openModel().first(), ITEMS);
    expect(state).toBeUndefined();
    expect(shared).toEqual(more.first());
  });

  it('with a strategy that keeps no moments grows none', () => {
    const grown = openModel(15).grown(
      encodeContentState(run(openModel(), 1).state),
      openModel().first(),
      ITEMS,
    );
    const form = { items: 15, weights: openModel().init().weights.length };
    expect(decodeContentState(grown.state, form).own.first).toHaveLength(0);
    expect(createStrategy({ name: 'fedadam' }).init(3).first).toHaveLength(3);
  });
});

describe('a task with a content model', () => {
  const taskOf = (catalogue: object, over = {}) =>
    smallTask({
      model: modelOf(3),
      catalogue: utf8(JSON.stringify({ ids: ['a', 'b', 'c'], ...catalogue })),
      ...over,
    });

  it('is refused where nothing is said of the items', () => {
    expect(problemsOfTask(taskOf({ genres: [['x'], [], []] }))).toEqual([]);
    const [problem] = problemsOfTask(taskOf({}));
    expect(problem).toMatchObject({ path: 'catalogue' });
    expect(problem?.problem).toContain('no item has a genre, a title or a vector');
  });

  it('is refused where a vector has another length, by the item', () => {
    const vectors = [[1], [], [2, 3]];
    expect(
      problemsOfTask(taskOf({}, { vectors }))
        .map(({ problem }) => problem)
        .join(),
    ).toContain('item a has 1 numbers');
  });

  it('asks nothing of other families', () => expect(contentOf(smallTask())).toBeUndefined());

  it('knows how much noise is on a coordinate of a mean', () => {
    const update = {
      meanDelta: new Float32Array(1),
      totalWeight: 20,
      survivors: 20,
      clippedShare: null,
      metrics: {},
    };
    const facts = { clippingNorm: 2, scale: { delta: 1_000, weight: 1, metric: 1 } };
    const of = (noise: Parameters<typeof contentUpdateOf>[0]['noise']) =>
      contentUpdateOf({ ...facts, noise }, update, all(1)).noiseStddev;
    expect(of({ mechanism: 'none' })).toBe(0);
    const skellam = {
      mechanism: 'skellam',
      multiplier: 1,
      survivors: 16,
      deltaVariance: 5e6,
      clipVariance: 0,
      metricVariance: 0,
    } as const;
    // 20 clients of variance 5·10⁶ are 10⁴ units of the sum: 10 of a delta, ½ of the mean.
    expect(of(skellam)).toBeCloseTo(0.5, 12);
    expect(of({ mechanism: 'gaussian', multiplier: 5, clipMultiplier: 0, metricMultiplier: 0 })).toBeCloseTo(
      0.5,
      12,
    );
  });
});
