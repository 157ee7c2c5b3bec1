import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fromPackedText, keepLocal, seededRandom } from '@tutti/base';
import {
  bestOf,
  createEngine,
  initialShared,
  keptUpdate,
  type LoadedModel,
  type Model,
  type ModelInput,
  type Tensorflow,
  wholeDelta,
  wholeTableOf,
} from '@tutti/model';
import { openNodeTensorflow } from '@tutti/model/node';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bitsOfKernel } from '../test/bits.ts';
import { ask, distance, FAMILIES, modelOf, person, weightsOf } from '../test/people.ts';
import { openTrainingEngine, openWasmKernel } from './index.ts';
import { WIDE_KERNEL_WASM } from './wide-kernel-wasm.gen.ts';
import { wideKernel } from './wide-kernel.ts';

const ITEMS = 60;
const wideModule = new WebAssembly.Module(fromPackedText(WIDE_KERNEL_WASM));
const history = person(1, 5, 9, 20, 21, 22, 33, 59);

let tf: Tensorflow;
beforeAll(async () => {
  ({ tf } = await openNodeTensorflow({ backend: 'wasm' }));
});

const load = async (engine: 'simd' | 'ts', model: Model, shared = weightsOf(model)): Promise<LoadedModel> =>
  (await openTrainingEngine({ model, engine })).load(shared);

const define = async (model: Model, shared = weightsOf(model)): Promise<LoadedModel> =>
  (await createEngine({ model, tf, backend: 'wasm' })).load(shared);

/** Float32 rounding, over a few dozen steps of numbers around 1. */
const ROUNDING = 5e-6;

describe.each(['simd', 'ts'] as const)('the %s engine beside the TensorFlow.js definition', (engine) => {
  it.each(FAMILIES)('%s: the same losses, weights, vectors, scores and lists', async (_name, input) => {
    const model = modelOf(input, ITEMS);
    const [own, definition] = [await load(engine, model), await define(model)];
    const [a, b] = [await ask(own, history), await ask(definition, history)];
    expect(distance(a.vector, b.vector)).toBeLessThan(ROUNDING);
    for (const name of ['update', 'fresh'] as const) {
      expect(Math.abs(a[name].loss - b[name].loss)).toBeLessThan(1e-5);
      expect(distance(wholeDelta(a[name], model), wholeDelta(b[name], model))).toBeLessThan(ROUNDING);
      expect(a[name].touchedRows).toEqual(b[name].touchedRows);
      expect(a[name].examples).toBe(b[name].examples);
      expect(a[name].delta.some((value) => value !== 0)).toBe(true);
    }
    expect(distance(a.scores, b.scores)).toBeLessThan(ROUNDING);
    expect(distance(a.some, b.some)).toBeLessThan(ROUNDING);
    expect(a.ranking.items).toEqual(b.ranking.items);
    own.dispose();
    definition.dispose();
  });

  it('agrees at any size (random families, sizes, batches, histories)', async () => {
    const size = fc.integer({ min: 1, max: 19 });
    const shape = fc.record({
      family: fc.constantFrom('gmf', 'mlp', 'neumf'),
      dimension: size,
      hidden: fc.array(size, { minLength: 1, maxLength: 3 }),
      batchSize: fc.integer({ min: 1, max: 70 }),
      l2: fc.constantFrom(0, 0.05),
      proximal: fc.constantFrom(0, 0.3),
    });
    await fc.assert(
      fc.asyncProperty(shape, fc.integer({ min: 1, max: 9 }), async ({ hidden, ...rest }, touched) => {
        const input = (rest.family === 'gmf' ? rest : { ...rest, hidden }) as ModelInput;
        const model = modelOf({ ...input, epochs: 1 } as ModelInput, 20);
        const data = person(...Array.from({ length: touched }, (_, i) => 2 * i));
        const [own, definition] = [await load(engine, model), await define(model)];
        const [a, b] = [
          await own.train(undefined, data, seededRandom(1)),
          await definition.train(undefined, data, seededRandom(1)),
        ];
        expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-5);
        expect(distance(wholeDelta(a, model), wholeDelta(b, model))).toBeLessThan(2e-5);
        definition.dispose();
      }),
      { numRuns: 12, seed: 7 },
    );
  });

  it.each(FAMILIES)(
    '%s: is deterministic, and leaves weights, vector and data alone',
    async (_name, input) => {
      const model = modelOf(input, ITEMS);
      const shared = weightsOf(model);
      const before = shared.slice();
      const loaded = await load(engine, model, shared);
      const vector = await loaded.personalize(undefined, history, seededRandom(1));
      const copy = vector.slice();
      const first = keptUpdate(await loaded.train(vector, history, seededRandom(2)));
      const again = await loaded.train(vector, history, seededRandom(2));
      expect(again).toEqual(first);
      expect(vector).toEqual(copy);
      expect(first.local).toEqual(vector);
      expect(shared).toEqual(before);
      expect([...history.positives]).toEqual([1, 5, 9, 20, 21, 22, 33, 59]);
    },
  );

  it.each(FAMILIES)('%s: nothing of one person is left for the next', async (_name, input) => {
    const model = modelOf(input, ITEMS);
    const used = await load(engine, model);
    const others = [person(), person(2), person(...Array.from({ length: 50 }, (_, i) => i)), person(3, 59)];
    for (const data of others) await ask(used, data);
    expect(await ask(used, history)).toEqual(await ask(await load(engine, model), history));
  });

  it.each(FAMILIES)('%s: has an answer for nothing, one item and everything', async (_name, input) => {
    const model = modelOf(input, ITEMS);
    const [own, definition] = [await load(engine, model), await define(model)];
    for (const items of [[], [0], Array.from({ length: ITEMS }, (_, item) => item)]) {
      const [a, b] = [await ask(own, person(...items)), await ask(definition, person(...items))];
      expect(distance(wholeDelta(a.update, model), wholeDelta(b.update, model))).toBeLessThan(ROUNDING);
      expect(a.update.examples).toBe(b.update.examples);
      expect(a.ranking.items).toEqual(b.ranking.items);
      expect([...a.scores].every(Number.isFinite)).toBe(true);
    }
    definition.dispose();
  });

  it.each(FAMILIES)('%s: works on a catalogue of one item', async (_name, input) => {
    const model = modelOf(input, 1);
    const [own, definition] = [await load(engine, model), await define(model)];
    const vector = await own.personalize(undefined, person(0), seededRandom(1));
    const [a, b] = [
      await own.train(vector, person(0), seededRandom(2)),
      await definition.train(vector, person(0), seededRandom(2)),
    ];
    expect(distance(wholeDelta(a, model), wholeDelta(b, model))).toBeLessThan(ROUNDING);
    expect([...(await own.rank(vector, { k: 3 })).items]).toEqual([0]);
    definition.dispose();
  });

  it.each(FAMILIES)('%s: ranks like a sorted list of all scores, for any k', async (_name, input) => {
    const model = modelOf(input, 300);
    const loaded = await load(engine, model);
    const vector = await loaded.personalize(undefined, history, seededRandom(1));
    const scores = await loaded.score(vector);
    for (const k of [0, 1, 7, 64, 291, 292, 300, 1_000]) {
      const options = { k, exclude: history.positives };
      expect(await loaded.rank(vector, options)).toEqual(bestOf(scores, options));
    }
    expect((await loaded.rank(vector, { k: 1_000 })).items).toHaveLength(300);
  });

  it('puts equal scores in the order of the catalogue', async () => {
    const model = modelOf({ family: 'gmf', dimension: 4 }, 100);
    const loaded = await load(engine, model, new Float32Array(model.layout.length));
    const { items } = await loaded.rank(keepLocal(new Float32Array(4)), {
      k: 4,
      exclude: keepLocal(Int32Array.of(1)),
    });
    expect([...items]).toEqual([0, 2, 3, 4]);
  });

  it.each(FAMILIES)(
    '%s: refuses items outside the catalogue, and does not name them',
    async (_name, input) => {
      const loaded = await load(engine, modelOf(input, ITEMS));
      const vector = await loaded.personalize(undefined, history, seededRandom(1));
      for (const item of [-1, ITEMS, 2 ** 31 - 1]) {
        const attempts = [
          loaded.train(vector, person(item), seededRandom(1)),
          loaded.personalize(undefined, person(item), seededRandom(1)),
          loaded.score(vector, Int32Array.of(item)),
          loaded.rank(vector, { k: 1, exclude: keepLocal(Int32Array.of(item)) }),
        ];
        for (const attempt of attempts)
          await expect(attempt).rejects.toThrow(/^an item outside the catalogue of 60 items$/);
      }
      await expect(loaded.rank(vector, { k: 0.5 })).rejects.toThrow('k is 0.5');
    },
  );

  it.each(FAMILIES)('%s: trains a slice of a catalogue as the definition does', async (_name, input) => {
    const model = modelOf(input, ITEMS);
    const big = modelOf(input, 500);
    const whole = wholeTableOf(big, weightsOf(big));
    const own = await (await openTrainingEngine({ model, engine })).load(weightsOf(model), whole);
    const definition = await (
      await createEngine({ model, tf, backend: 'wasm' })
    ).load(weightsOf(model), whole);
    const [a, b] = [await ask(own, history), await ask(definition, history)];
    expect(distance(a.vector, b.vector)).toBeLessThan(ROUNDING);
    expect(distance(wholeDelta(a.update, model), wholeDelta(b.update, model))).toBeLessThan(ROUNDING);
    expect(distance(a.vector, (await ask(await load(engine, model), history)).vector)).toBeGreaterThan(
      ROUNDING,
    );
    definition.dispose();
  });

  it('has finite losses and the right slopes at extreme scores', async () => {
    // gmf in one dimension with a table of (c, −c) and a head of 1: a person of 1 gives those logits. They touched the second
    // item, so the positive and its four negatives, which can only be the first, all lose log(1 + exp(c)).
    const input: ModelInput = { family: 'gmf', dimension: 1, epochs: 1, batchSize: 8 };
    const model = modelOf(input, 2);
    for (const c of [0, 1e-3, 0.5, 1, 2, 10, 80, 87, 88, 100, 1_000, 1e30]) {
      const loaded = await load(engine, model, Float32Array.of(c, -c, 0, 0, 1, 0));
      const { loss } = await loaded.train(keepLocal(Float32Array.of(1)), person(1), seededRandom(1));
      const expected = c + Math.log1p(Math.exp(-c));
      expect(Math.abs(loss - expected) / expected).toBeLessThan(5e-7);
    }
  });
});

describe('the WebAssembly kernel', () => {
  it.each(FAMILIES)(
    '%s: learns a checkerboard of tastes: even people like even items',
    async (_name, input) => {
      const training = input.family === 'mf' ? {} : { proximal: 0, batchSize: 16 };
      const which = modelOf({ ...input, ...training }, 40);
      let shared = initialShared(which, seededRandom('weights'));
      const random = seededRandom('board');
      const people = Array.from({ length: 16 }, (_, user) => {
        const own = Array.from({ length: 40 }, (_, item) => item).filter(
          (item) => item % 2 === user % 2 && random.float() < 0.6,
        );
        return { positives: keepLocal(Int32Array.from(own)) };
      });
      const step = which.config.family === 'mf' ? 0.05 : 1;
      for (let round = 0; round < 25; round++) {
        const loaded = await load('simd', which, shared);
        const sum = new Float32Array(shared.length);
        for (const [user, data] of people.entries()) {
          const update = await loaded.train(undefined, data, random.fork(round, user));
          wholeDelta(update, which).forEach((value, i) => (sum[i] = (sum[i] as number) + value));
        }
        shared = shared.map((value, i) => value + (step * (sum[i] as number)) / people.length);
        loaded.dispose();
      }
      const loaded = await load('simd', which, shared);
      let right = 0;
      for (const [user, data] of people.entries()) {
        const scores = await loaded.score(await loaded.personalize(undefined, data, seededRandom(user)));
        const own = new Set(data.positives);
        const unseen = (parity: number): number[] =>
          Array.from(scores.keys())
            .filter((item) => item % 2 === parity && !own.has(item))
            .map((item) => scores[item] as number);
        const mean = (values: number[]): number =>
          values.reduce((total, value) => total + value, 0) / values.length;
        if (mean(unseen(user % 2)) > mean(unseen(1 - (user % 2)))) right++;
      }
      loaded.dispose();
      expect(right).toBe(people.length);
    },
  );

  it.each([
    ['its own module', {}],
    [
      'the one for registers of 256 bits',
      { openKernel: (bytes: number) => openWasmKernel(bytes, wideModule) },
    ],
  ])(
    'gives the same bits as in every other Node and browser where this was run: %s',
    async (_name, kernel) => {
      expect(await bitsOfKernel(kernel)).toBe(
        'b97b1d6749b5d1743236277a031d083f2d5b2637dc2b3c86ef795b88df228790',
      );
    },
  );

  it('is made for registers of 256 bits where V8 can, gives the same bits, and is asked for once', async () => {
    const kernel = await wideKernel();
    // Where V8 can, the processor may still lack them.
    if (Number.parseInt(process.versions.node, 10) < 24) expect(kernel).toBeUndefined();
    if (kernel !== undefined)
      expect(await bitsOfKernel({ openKernel: (bytes) => openWasmKernel(bytes, kernel) })).toBe(
        await bitsOfKernel(),
      );
    expect(await wideKernel()).toBe(kernel);
  });

  it('is what its source compiles to', () => {
    const script = fileURLToPath(new URL('../assembly/build.mjs', import.meta.url));
    expect(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' })).not.toThrow();
  });
});
