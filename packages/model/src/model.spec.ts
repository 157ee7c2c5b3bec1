import { keepLocal, seededRandom } from '@tutti/base';
import fc from 'fast-check';
import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import type { LocalOnly } from '@tutti/base';
import { compactRows, drawExamples } from './examples.ts';
import {
  bestOf,
  createEngine,
  createModel,
  decodeCheckpoint,
  decodeModelConfig,
  encodeCheckpoint,
  initialShared,
  layoutFingerprint,
  type LoadedModel,
  type LocalUpdate,
  type ModelInput,
  recommended,
  resolveModelConfig,
  type Tensorflow,
  type TowerConfig,
  towerShape,
  withProximalTerm,
} from './index.ts';
import { solvePositiveDefiniteInPlace } from './linear-algebra.ts';
import { openNodeTensorflow } from './node.ts';

const ITEMS = 40;
const facts = { items: ITEMS, meanHistory: 10 };
const model = (input: ModelInput) => createModel(resolveModelConfig(input, facts), ITEMS);
const mf = model({ family: 'mf', dimension: 6 });
const mlp = model({ family: 'mlp', dimension: 6, hidden: [8, 4], batchSize: 16 });
const gmf = model({ family: 'gmf', dimension: 6, batchSize: 16 });
const neumf = model({ family: 'neumf', dimension: 4, hidden: [8, 4], batchSize: 16 });
const person = { positives: keepLocal(Int32Array.of(1, 5, 9, 20)) };

let tf: Tensorflow;
beforeAll(async () => {
  ({ tf } = await openNodeTensorflow({ backend: 'wasm' }));
});

const load = async (which: typeof mf, shared?: Float32Array): Promise<LoadedModel> =>
  (await createEngine({ model: which, tf, backend: 'wasm' })).load(
    shared ?? initialShared(which, seededRandom('weights')),
  );

describe('implicit matrix factorisation', () => {
  it('solves the person’s vector in closed form: the gradient of its loss is zero there', async () => {
    const shared = initialShared(mf, seededRandom('weights'));
    const loaded = await load(mf, shared);
    const { local } = await loaded.train(undefined, person, seededRandom(1));
    const { unobservedWeight: a0, regularization } = mf.config as Extract<typeof mf.config, { family: 'mf' }>;
    // Slow and readable: d/dw of Σ_obs (w·h − 1)² + a0 Σ_all (w·h)² + λ(n + a0 I)|w|², halved.
    const own = new Set(person.positives);
    const gradient = Array.from({ length: 6 }, (_, k) => {
      let sum = regularization * (own.size + a0 * ITEMS) * (local[k] as number);
      for (let item = 0; item < ITEMS; item++) {
        const row = shared.subarray(6 * item, 6 * item + 6);
        const score = row.reduce((total, value, j) => total + value * (local[j] as number), 0);
        sum += a0 * score * (row[k] as number) + (own.has(item) ? (score - 1) * (row[k] as number) : 0);
      }
      return sum;
    });
    for (const value of gradient) expect(Math.abs(value)).toBeLessThan(1e-5);
    loaded.dispose();
  });

  it('has minus half the gradient of the loss as its delta (finite differences)', async () => {
    const shared = initialShared(mf, seededRandom('weights'));
    const loaded = await load(mf, shared);
    const { delta, local } = await loaded.train(undefined, person, seededRandom(1));
    const { unobservedWeight: a0 } = mf.config as Extract<typeof mf.config, { family: 'mf' }>;
    const loss = (weights: Float64Array): number => {
      let sum = 0;
      for (let item = 0; item < ITEMS; item++) {
        let score = 0;
        for (let k = 0; k < 6; k++) score += (weights[6 * item + k] as number) * (local[k] as number);
        sum += a0 * score * score + (person.positives.includes(item) ? (score - 1) ** 2 : 0);
      }
      return sum;
    };
    for (const at of [0, 7, 31, 54, 120, 239]) {
      const up = Float64Array.from(shared);
      const down = Float64Array.from(shared);
      up[at] = (up[at] as number) + 1e-4;
      down[at] = (down[at] as number) - 1e-4;
      expect(delta[at]).toBeCloseTo(-(loss(up) - loss(down)) / 4e-4, 4);
    }
    loaded.dispose();
  });
});

describe.each([
  ['mf', mf],
  ['gmf', gmf],
  ['mlp', mlp],
  ['neumf', neumf],
])('%s', (_name, which) => {
  it('is deterministic, and leaves weights and data alone', async () => {
    const shared = initialShared(which, seededRandom('weights'));
    const before = Float32Array.from(shared);
    const loaded = await load(which, shared);
    const [a, b] = [
      await loaded.train(undefined, person, seededRandom(3)),
      await loaded.train(undefined, person, seededRandom(3)),
    ];
    expect(b.delta).toEqual(a.delta);
    expect(b.local).toEqual(a.local);
    expect(shared).toEqual(before);
    expect([...person.positives]).toEqual([1, 5, 9, 20]);
    expect(a.delta).toHaveLength(which.layout.length);
    expect(a.delta.some((value) => value !== 0)).toBe(true);
    loaded.dispose();
  });

  it('leaks no tensor', async () => {
    const loaded = await load(which);
    const cycle = async (): Promise<void> => {
      const { local } = await loaded.train(undefined, person, seededRandom(4));
      await loaded.score(await loaded.personalize(local, person, seededRandom(5)));
    };
    await cycle();
    const count = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) await cycle();
    expect(tf.memory().numTensors).toBe(count);
    loaded.dispose();
    const rest = await load(which);
    rest.dispose();
    expect(tf.memory().numTensors).toBeLessThan(count);
  });

  it.each<[string, number[]]>([
    ['nothing', []],
    ['one item', [0]],
    ['every item', Array.from({ length: ITEMS }, (_, item) => item)],
  ])('trains on a person who touched %s', async (_case, positives) => {
    const loaded = await load(which);
    const update = await loaded.train(
      undefined,
      { positives: keepLocal(Int32Array.from(positives)) },
      seededRandom(6),
    );
    expect([...update.delta].every(Number.isFinite)).toBe(true);
    expect([...(await loaded.score(update.local))].every(Number.isFinite)).toBe(true);
    loaded.dispose();
  });

  it('gives the same on the cpu backend, to float tolerance', async () => {
    const onWasm = await (await load(which)).train(undefined, person, seededRandom(7));
    const { tf: cpu } = await openNodeTensorflow({ backend: 'cpu' });
    const engine = await createEngine({ model: which, tf: cpu, backend: 'cpu' });
    const onCpu = await (
      await engine.load(initialShared(which, seededRandom('weights')))
    ).train(undefined, person, seededRandom(7));
    await openNodeTensorflow({ backend: 'wasm' });
    expect(onCpu.loss).toBeCloseTo(onWasm.loss, 4);
    onCpu.delta.forEach((value, i) =>
      expect(Math.abs(value - (onWasm.delta[i] as number))).toBeLessThan(2e-3),
    );
  });

  it('survives its own checkpoint, to the bit', () => {
    const shared = initialShared(which, seededRandom('weights'));
    const bytes = encodeCheckpoint({ layout: which.layout, shared, metadata: { task: 'films', round: '3' } });
    expect(decodeCheckpoint(bytes, which.layout)).toEqual({
      shared,
      metadata: { task: 'films', round: '3' },
    });
    expect(bytes.length % 4).toBe(0);
  });

  it('has a strategy that suits it', () => {
    const { strategy, clippingNorm } = recommended(which.config, facts);
    expect(strategy.learningRate).toBeGreaterThan(0);
    expect(clippingNorm).toBeGreaterThan(0);
  });
});

describe.each([
  ['mf', mf],
  ['gmf', gmf],
])('%s', (_name, which) => {
  it('learns a checkerboard of tastes: even people like even items', async () => {
    let shared = initialShared(which, seededRandom('weights'));
    const random = seededRandom('board');
    const people = Array.from({ length: 16 }, (_, user) => {
      const own = Array.from({ length: ITEMS }, (_, item) => item).filter(
        (item) => item % 2 === user % 2 && random.float() < 0.6,
      );
      return { positives: keepLocal(Int32Array.from(own)) };
    });
    const step = which.config.family === 'mf' ? 0.05 : 1;
    for (let round = 0; round < 25; round++) {
      const loaded = await load(which, shared);
      const sum = new Float32Array(shared.length);
      for (const [user, data] of people.entries()) {
        const { delta } = await loaded.train(undefined, data, random.fork(round, user));
        delta.forEach((value, i) => (sum[i] = (sum[i] as number) + value));
      }
      shared = shared.map((value, i) => value + (step * (sum[i] as number)) / people.length);
      loaded.dispose();
    }
    const loaded = await load(which, shared);
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
  });
});

describe('the neural families', () => {
  it('have the towers and tensors of their papers', () => {
    const names = (which: typeof mf): string[] =>
      which.layout.parameters.map(({ name, shape }) => `${name} ${shape.join('×')}`);
    expect(names(gmf)).toEqual(['items 40×6', 'item-bias 40×1', 'product-kernel 6×1', 'output-bias 1']);
    expect(names(neumf)).toEqual([
      'items 40×8',
      'item-bias 40×1',
      'hidden-0-kernel 8×8',
      'hidden-0-bias 8',
      'hidden-1-kernel 8×4',
      'hidden-1-bias 4',
      'product-kernel 4×1',
      'output-kernel 4×1',
      'output-bias 1',
    ]);
    expect([gmf.localLength, mlp.localLength, neumf.localLength]).toEqual([6, 6, 8]);
  });

  it.each([
    ['gmf', gmf],
    ['mlp', mlp],
    ['neumf', neumf],
  ])('%s: scores are what a slow and readable formula says', async (_name, which) => {
    const shared = initialShared(which, seededRandom('weights')).map((value, i) => value + 0.1 * Math.cos(i));
    const loaded = await load(which, shared);
    const { width, product, deep } = towerShape(which.config as TowerConfig);
    const tensor = (name: string): Float32Array => {
      const at = which.layout.parameters.find((parameter) => parameter.name === name);
      return shared.subarray(at?.offset, (at?.offset ?? 0) + (at?.length ?? 0));
    };
    const vector = Float32Array.from({ length: width }, (_, i) => Math.sin(i + 1));
    const scores = await loaded.score(keepLocal(vector));
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Array.from(a).reduce((sum, value, i) => sum + value * (b[i] as number), 0);
    for (const item of [0, 7, ITEMS - 1]) {
      const row = tensor('items').subarray(item * width, (item + 1) * width);
      const both = Array.from(row, (value, i) => value * (vector[i] as number));
      let score = (tensor('item-bias')[item] as number) + (tensor('output-bias')[0] as number);
      score += dot(both.slice(0, product), tensor('product-kernel'));
      if (deep !== undefined) {
        const block = <T extends number[]>(values: T): number[] =>
          values.slice(deep.from, deep.from + deep.size);
        let units = [...block([...vector]), ...block([...row]), ...(deep.products ? block(both) : [])];
        deep.hidden.forEach((size, layer) => {
          const kernel = tensor(`hidden-${layer}-kernel`);
          const inputs = units;
          units = Array.from({ length: size }, (_, unit) => {
            const sum = inputs.reduce(
              (total, value, i) => total + value * (kernel[i * size + unit] as number),
              0,
            );
            return Math.max(0, sum + (tensor(`hidden-${layer}-bias`)[unit] as number));
          });
        });
        score += dot(units, tensor('output-kernel'));
      }
      expect(scores[item]).toBeCloseTo(score, 4);
    }
    loaded.dispose();
  });
});

describe('a ranking', () => {
  it('is the list that sorting gives, ties in the order of the catalogue, what is no number last', () => {
    const scores = fc.array(fc.constantFrom(0, 1, 2, 3, -1, Number.NaN, 7.5), { maxLength: 40 });
    fc.assert(
      fc.property(scores, fc.integer({ min: 0, max: 45 }), fc.array(fc.nat(45)), (values, k, exclude) => {
        const left = new Set(exclude);
        const key = (item: number): number =>
          Number.isNaN(values[item]) ? Number.NEGATIVE_INFINITY : (values[item] as number);
        const sorted = Array.from(values.keys())
          .filter((item) => !left.has(item))
          .sort((a, b) => key(b) - key(a) || a - b)
          .slice(0, k);
        const options = { k, exclude: keepLocal(Int32Array.from(exclude)) };
        expect([...bestOf(Float32Array.from(values), options).items]).toEqual(sorted);
      }),
      { numRuns: 500, seed: 3 },
    );
    expect(() => bestOf(new Float32Array(3), { k: -1 })).toThrow('k is -1');
  });

  it.each([
    ['mf', mf],
    ['mlp', mlp],
  ])('of %s is that of its scores', async (_name, which) => {
    const loaded = await load(which);
    const vector = await loaded.personalize(undefined, person, seededRandom(1));
    const options = { k: 7, exclude: person.positives };
    const scores = await loaded.score(vector);
    expect(await loaded.rank(vector, options)).toEqual(bestOf(scores, options));
    const some = await loaded.score(vector, Int32Array.of(4, 0, 4));
    [4, 0, 4].forEach((item, i) => expect(some[i]).toBeCloseTo(scores[item] as number, 6));
    loaded.dispose();
  });
});

describe('the proximal term of FedProx', () => {
  it('pulls each step back by the learning rate times µ times the way so far, rows too', async () => {
    // One batch an epoch and no other pull, so the way before the second step is the delta of one epoch.
    const alone = { family: 'mlp', dimension: 6, hidden: [8, 4], batchSize: 1_000, l2: 0 } as const;
    const trained = async (epochs: number, proximal: number): Promise<Float32Array> => {
      const which = model({ ...alone, epochs, proximal });
      return (await (await load(which)).train(undefined, person, seededRandom(4))).delta;
    };
    const [way, free, held] = [await trained(1, 5), await trained(2, 0), await trained(2, 5)];
    const { learningRate } = mlp.config as Extract<typeof mlp.config, { family: 'mlp' }>;
    held.forEach((value, i) =>
      expect(value).toBeCloseTo((free[i] as number) - learningRate * 5 * (way[i] as number), 5),
    );
    expect(held).not.toEqual(free);
  });

  it('is there when a strategy asks for FedProx, and is refused where it would change nothing', () => {
    expect(withProximalTerm({ family: 'mlp' })).toEqual({ family: 'mlp', proximal: 0.1 });
    expect(withProximalTerm({ family: 'mlp', proximal: 1 })).toEqual({ family: 'mlp', proximal: 1 });
    expect(() => withProximalTerm({ family: 'mf' })).toThrow('fedprox is fedavg for mf');
  });
});

describe('training examples', () => {
  it('can hold every item outside the positives as a negative, so also the held-out one', () => {
    const drawn = new Set<number>();
    for (let draw = 0; draw < 40; draw++)
      for (const item of drawExamples(person.positives, ITEMS, 4, seededRandom(draw)).items) drawn.add(item);
    expect(drawn.size).toBe(ITEMS);
  });

  it('never call a positive a negative, and number 1 + negatives for each positive', () => {
    const { items, labels } = drawExamples(person.positives, ITEMS, 4, seededRandom(1));
    expect(items).toHaveLength(20);
    items.forEach((item, i) => expect(labels[i]).toBe(person.positives.includes(item) ? 1 : 0));
    expect(labels.reduce((sum, label) => sum + label, 0)).toBe(4);
  });

  it('stand in a compact table once each', () => {
    const { rows, positions } = compactRows(Int32Array.of(7, 3, 7, 9));
    expect([...rows]).toEqual([7, 3, 9]);
    expect([...positions]).toEqual([0, 1, 0, 2]);
  });
});

describe('a configuration', () => {
  it('takes its defaults from the data: a0 = 10·n̄/I, λ = 1/n̄, less for short histories', () => {
    const config = resolveModelConfig({ family: 'mf' }, { items: 3706, meanHistory: 165 });
    expect(config).toMatchObject({ unobservedWeight: 1650 / 3706, regularization: 1 / 165 });
    const lambda = (family: 'mf' | 'mlp', meanHistory: number) =>
      resolveModelConfig({ family }, { items: 1_000, meanHistory });
    expect(lambda('mf', 50)).toMatchObject({ regularization: 1 / 50 });
    expect(lambda('mf', 29)).toMatchObject({ regularization: 0.03 });
    expect(lambda('mf', 5)).toMatchObject({ regularization: 0.35 * 5 ** -0.75 });
    expect(lambda('mf', 0)).toMatchObject({ regularization: 0.35 });
    expect(lambda('mlp', 5)).toMatchObject({ regularization: 0.03 });
  });

  it('refuses every wrong field at once', () => {
    const wrong = { family: 'mlp', dimension: 0, hidden: [], nonsense: 1 } as unknown as ModelInput;
    expect(() => resolveModelConfig(wrong, facts)).toThrow(/dimension: 0[^]*hidden[^]*nonsense/);
    for (const value of [null, 5, {}, { family: 'x' }, { family: 'mf' }, { ...mf.config, extra: 1 }])
      expect(() => decodeModelConfig(value)).toThrow('model');
    expect(decodeModelConfig(JSON.parse(JSON.stringify(mlp.config)))).toEqual(mlp.config);
  });

  it('is in the layout’s fingerprint', () => {
    expect(layoutFingerprint(mf)).not.toBe(
      layoutFingerprint(model({ family: 'mf', dimension: 6, regularization: 0.5 })),
    );
  });
});

describe('a checkpoint from outside', () => {
  const good = encodeCheckpoint({
    layout: mf.layout,
    shared: initialShared(mf, seededRandom(1)),
    metadata: {},
  });

  it('is refused by name when it is another model’s, torn, or not finite', () => {
    expect(() => decodeCheckpoint(good, mlp.layout)).toThrow('checkpoint');
    expect(() => decodeCheckpoint(good.slice(0, -1), mf.layout)).toThrow('bytes');
    expect(() => decodeCheckpoint('text', mf.layout)).toThrow('binary');
    const poisoned = good.slice();
    new DataView(poisoned.buffer).setFloat32(poisoned.length - 4, Number.NaN, true);
    expect(() => decodeCheckpoint(poisoned, mf.layout)).toThrow('not finite');
  });

  it('never breaks the decoder otherwise (fuzz)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: good.length - 1 }),
        fc.integer({ min: 0, max: 255 }),
        (at, byte) => {
          const changed = good.slice();
          changed[at] = byte;
          try {
            decodeCheckpoint(changed, mf.layout);
          } catch (error) {
            expect((error as Error).name).toBe('DecodeError');
          }
        },
      ),
      { numRuns: 2_000, seed: 1 },
    );
  });
});

describe('linear algebra', () => {
  it('solves what it should', () => {
    const a = Float64Array.of(4, 2, 2, 3);
    const b = Float64Array.of(10, 8);
    solvePositiveDefiniteInPlace(a, b);
    expect(b[0]).toBeCloseTo(1.75, 12);
    expect(b[1]).toBeCloseTo(1.5, 12);
    expect(() => solvePositiveDefiniteInPlace(Float64Array.of(-1), Float64Array.of(1))).toThrow(
      'positive definite',
    );
  });
});

it('keeps the local part apart by type', () => {
  expectTypeOf<LocalUpdate['local']>().toEqualTypeOf<LocalOnly<Float32Array>>();
  // @ts-expect-error a plain vector is not what stays on the device
  expectTypeOf<Float32Array>().toMatchTypeOf<LocalOnly<Float32Array>>();
});

it('says what is missing when a backend cannot be had, without a stack', async () => {
  await expect(openNodeTensorflow({ backend: 'webgl' })).rejects.toThrow(
    /no TensorFlow.js backend could be started \(webgl/,
  );
});
