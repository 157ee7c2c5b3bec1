import { keepLocal, seededRandom } from '@tutti/base';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  createModel,
  decodeKernelConfig,
  decodeModelConfig,
  defineModel,
  initialShared,
  layoutFingerprint,
  type LoadedModel,
  type OwnModel,
  recommended,
  type Tensorflow,
} from './index.ts';
import { openNodeTensorflow } from './node.ts';
import { drawTargets } from './targets.ts';

const ITEMS = 30;

/** A person's vector and the mean of their latest items, against item vectors. */
const definition = defineModel({
  name: 'taste',
  version: 1,
  shared: {
    items: { perItem: true, shape: [4] },
    mix: { shape: [4, 4], spread: 0.5 },
    bias: { perItem: true, shape: [1], spread: 0 },
    unused: { shape: [2] },
  },
  local: 4,
  window: 3,
  batchSize: 4,
  epochs: 2,
  score(tf, { shared, local, history, known, items }) {
    const rows = tf.gather(shared.items, history);
    const seen = tf.sum(tf.mul(rows, tf.expandDims(known, 2)), 1);
    const taste = tf.add(tf.matMul(seen as typeof items, shared.mix as typeof items), local);
    const products = tf.sum(tf.mul(tf.gather(shared.items, items), tf.expandDims(taste, 1)), 2);
    return tf.add(products, tf.squeeze(tf.gather(shared.bias, items), [2]));
  },
});
const model = createModel(definition.config, ITEMS);
const history = { positives: keepLocal(Int32Array.of(7, 2, 19, 4, 11, 28)) };

let tf: Tensorflow;
beforeAll(async () => {
  ({ tf } = await openNodeTensorflow({ backend: 'wasm' }));
});

const load = async (which: OwnModel = definition, items = ITEMS): Promise<LoadedModel> => {
  const made = createModel(which.config, items);
  const engine = await createEngine({ model: made, tf, backend: 'wasm', definition: which });
  return engine.load(initialShared(made, seededRandom('weights')));
};

describe('an app’s own model', () => {
  it('has the tensors that it defines, and first weights of their spread, without TensorFlow.js', () => {
    expect(
      model.layout.parameters.map(({ name, shape, role, offset }) => [name, shape, role, offset]),
    ).toEqual([
      ['items', [ITEMS, 4], 'item-table', 0],
      ['mix', [4, 4], 'dense', 120],
      ['bias', [ITEMS, 1], 'item-table', 136],
      ['unused', [2], 'dense', 166],
    ]);
    const shared = initialShared(model, seededRandom(1));
    expect(shared.subarray(136, 166).every((value) => value === 0)).toBe(true);
    expect(shared.subarray(0, 120).every((value) => value !== 0)).toBe(true);
    expect(model.localLength).toBe(4 + 3);
    expect(recommended(model.config, { items: ITEMS, meanHistory: 6 }).clippingNorm).toBeGreaterThan(0);
  });

  it('travels as its configuration, and its fingerprint tells versions apart', () => {
    const decoded = decodeModelConfig(JSON.parse(JSON.stringify(definition.config)));
    expect(decoded).toEqual(definition.config);
    expect(() => decodeKernelConfig(definition.config)).toThrow('own model (taste) trains in TensorFlow.js');
    const newer = createModel({ ...definition.config, version: 2 }, ITEMS);
    expect(layoutFingerprint(newer)).not.toBe(layoutFingerprint(model));
    for (const [change, message] of [
      [{ window: 0 }, 'model.window: 0 is not a whole number from 1 to 1000'],
      [{ shared: [] }, 'model.shared: 1 to 64 tensors are needed'],
      [{ name: 'No Name' }, 'model.name'],
      [{ colour: 1 }, 'model.colour: is no field of an own model'],
      [{ shared: [{ name: 'a', perItem: true, shape: [2_000], spread: 0 }] }, '2000 numbers an item'],
      [{ shared: [{ name: 'a', perItem: 'yes', shape: [2], spread: 0 }] }, 'shared[0].perItem'],
      [{ shared: [{ name: 'a', perItem: false, shape: [0], spread: 0 }] }, 'shared[0].shape'],
      [{ shared: [{ name: 'a', perItem: false, shape: [1], spread: Number.NaN }] }, 'shared[0].spread'],
    ] as const)
      expect(() => decodeModelConfig({ ...definition.config, ...change })).toThrow(message);
    expect(() => defineModel({ ...definition.config, shared: {}, score: definition.score })).toThrow(
      '1 to 64',
    );
  });

  it('is refused without its definition, and with another one', async () => {
    const attempt = (other?: OwnModel): Promise<unknown> =>
      createEngine({ model, tf, backend: 'wasm', ...(other === undefined ? {} : { definition: other }) });
    await expect(attempt()).rejects.toThrow('own model, taste 1: its definition is needed');
    const older = { ...definition, config: { ...definition.config, version: 3 } };
    await expect(attempt(older)).rejects.toThrow('this app defines taste 3');
    const wider = { ...definition, config: { ...definition.config, local: 5 } };
    await expect(attempt(wider)).rejects.toThrow('raise its version');
    // How it is trained is the coordinator's to say.
    const slower = { ...definition, config: { ...definition.config, learningRate: 0.5 } };
    await expect(attempt(slower)).resolves.toBeDefined();
  });

  it('learns what comes next: losses fall over steps on one person, and only touched rows move', async () => {
    const engine = await createEngine({ model, tf, backend: 'wasm', definition });
    const shared = initialShared(model, seededRandom('weights'));
    const before = shared.slice();
    const losses: number[] = [];
    for (let round = 0; round < 12; round++) {
      const loaded = await engine.load(shared);
      const update = await loaded.train(undefined, history, seededRandom(`round ${round}`));
      loaded.dispose();
      losses.push(update.loss);
      update.delta.forEach((value, i) => (shared[i] = (shared[i] as number) + value));
      const touched = new Set(update.touchedRows);
      for (let item = 0; item < ITEMS; item++)
        if (!touched.has(item))
          expect(update.delta.subarray(4 * item, 4 * item + 4)).toEqual(new Float32Array(4));
      expect(update.delta.subarray(166)).toEqual(new Float32Array(2));
    }
    expect(losses.at(-1)).toBeLessThan((losses[0] as number) - 0.1);
    expect(shared).not.toEqual(before);
  });

  it('is deterministic, leaves its arguments alone, and leaves no tensor', async () => {
    const loaded = await load();
    const vector = await loaded.personalize(undefined, history, seededRandom(1));
    const kept = vector.slice();
    const first = await loaded.train(vector, history, seededRandom(2));
    await loaded.rank(vector, { k: 3 });
    const alive = tf.memory().numTensors + tf.memory().numDataBuffers;
    for (let i = 0; i < 3; i++) {
      expect(await loaded.personalize(undefined, history, seededRandom(1))).toEqual(kept);
      expect(await loaded.train(vector, history, seededRandom(2))).toEqual(first);
      await loaded.rank(vector, { k: 3 });
    }
    expect(tf.memory().numTensors + tf.memory().numDataBuffers).toBe(alive);
    expect([vector, [...history.positives]]).toEqual([kept, [7, 2, 19, 4, 11, 28]]);
    loaded.dispose();
  });

  it('keeps the latest items behind the person’s vector, and ranks by them', async () => {
    const loaded = await load();
    const whole = await loaded.personalize(undefined, history, seededRandom(1));
    expect([...whole.subarray(4)]).toEqual([4, 11, 28]);
    const short = await loaded.personalize(
      undefined,
      { positives: keepLocal(Int32Array.of(7)) },
      seededRandom(1),
    );
    expect([...short.subarray(4)]).toEqual([-1, -1, 7]);
    const other = keepLocal(Float32Array.of(...whole.subarray(0, 4), 1, 2, 3));
    expect(await loaded.score(other)).not.toEqual(await loaded.score(whole));
    const all = await loaded.score(whole);
    const some = await loaded.score(whole, Int32Array.of(5, 0, 5));
    [5, 0, 5].forEach((item, i) => expect(some[i]).toBeCloseTo(all[item] as number, 5));
    loaded.dispose();
  });

  it.each<[string, number[], number]>([
    ['nothing', [], ITEMS],
    ['one item', [3], ITEMS],
    ['every item', Array.from({ length: ITEMS }, (_, item) => item), ITEMS],
    ['the only item', [0], 1],
  ])('has an answer for who touched %s', async (_name, positives, items) => {
    const loaded = await load(definition, items);
    const data = { positives: keepLocal(Int32Array.from(positives)) };
    const update = await loaded.train(undefined, data, seededRandom(6));
    expect(update.delta.every(Number.isFinite)).toBe(true);
    expect(update.delta.some((value) => value !== 0)).toBe(positives.length > 0);
    expect((await loaded.rank(update.local, { k: 100, exclude: data.positives })).items).toHaveLength(
      items - positives.length,
    );
    await expect(loaded.score(update.local, Int32Array.of(items))).rejects.toThrow('outside the catalogue');
    loaded.dispose();
  });

  it('says which shape its scores must have', async () => {
    const flat = { ...definition, score: (lib: Tensorflow) => lib.zeros([3]) };
    const loaded = await load(flat);
    const before = tf.memory().numTensors;
    await expect(loaded.train(keepLocal(new Float32Array(7)), history, seededRandom(1))).rejects.toThrow(
      'score gave a shape of [3]; [4, 9] is needed',
    );
    expect(tf.memory().numTensors).toBe(before);
    loaded.dispose();
  });

  it('takes a loss of its own', async () => {
    const own = { ...definition, loss: (lib: Tensorflow) => lib.scalar(7) };
    // A loss that depends on nothing has no gradient; TensorFlow.js says so.
    await expect((await load(own)).train(undefined, history, seededRandom(1))).rejects.toThrow();
    const pairs = defineModel({
      ...definition.config,
      shared: { items: { perItem: true, shape: [2] } },
      local: 2,
      score: (lib, { shared, local, items }) =>
        lib.sum(lib.mul(lib.gather(shared.items, items), lib.expandDims(local, 1)), 2),
      loss: (lib, { scores, labels }) =>
        lib.neg(lib.mean(lib.sum(lib.mul(labels, lib.logSoftmax(scores)), 1))),
    });
    const { loss } = await (await load(pairs)).train(undefined, history, seededRandom(1));
    // Near zero vectors every one of the 1 + 8 items is as likely.
    expect(loss).toBeCloseTo(Math.log(9), 1);
  });
});

describe('targets', () => {
  it('are each predicted from what came before, and never from what came after', () => {
    const targets = drawTargets(
      Int32Array.of(5, 6, 7, 8),
      { items: 20, window: 2, negatives: 3 },
      seededRandom(1),
    );
    expect([targets.count, targets.width]).toEqual([4, 4]);
    const rows = Array.from({ length: 4 }, (_, row) => ({
      chosen: targets.items[4 * row],
      before: [...targets.history.subarray(2 * row, 2 * row + 2)],
      known: [...targets.known.subarray(2 * row, 2 * row + 2)],
    })).sort((a, b) => (a.chosen as number) - (b.chosen as number));
    expect(rows).toEqual([
      { chosen: 5, before: [0, 0], known: [0, 0] },
      { chosen: 6, before: [0, 5], known: [0, 1] },
      { chosen: 7, before: [5, 6], known: [1, 1] },
      { chosen: 8, before: [6, 7], known: [1, 1] },
    ]);
    targets.items.forEach((item, i) => {
      if (i % 4 !== 0) expect([5, 6, 7, 8]).not.toContain(item);
    });
  });
});
