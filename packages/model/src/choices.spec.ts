import { DecodeError, keepLocal, seededRandom } from '@tutti/base';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  beyondKernel,
  createEngine,
  createModel,
  decodeKernelConfig,
  decodeModelConfig,
  initialShared,
  layoutFingerprint,
  type LoadedModel,
  type LocalData,
  MODEL_FAMILIES,
  type Model,
  type ModelInput,
  resolveModelConfig,
  type Tensorflow,
  type TowerConfig,
} from './index.ts';
import { drawPairs } from './examples.ts';
import { openNodeTensorflow } from './node.ts';

const ITEMS = 40;
const facts = { items: ITEMS, meanHistory: 10 };
const modelOf = (input: ModelInput): Model => createModel(resolveModelConfig(input, facts), ITEMS);
const positives = keepLocal(Int32Array.of(1, 5, 9, 20));
const heldOut = keepLocal({ item: 30, candidates: Int32Array.of(2, 3, 30, 6, 8, 11) });

let tf: Tensorflow;
beforeAll(async () => {
  ({ tf } = await openNodeTensorflow({ backend: 'cpu' }));
});

const load = async (model: Model, shared: Float32Array): Promise<LoadedModel> =>
  (await createEngine({ model, tf, backend: 'cpu' })).load(shared);

/** Weights in which no number is 0. */
const weightsOf = (model: Model): Float32Array =>
  initialShared(model, seededRandom('weights')).map((value, i) => value + 0.02 * Math.sin(i + 1));

describe('choices of a neural family', () => {
  it('leave no trace where they say what is so anyway: fingerprints are those of models that say nothing', () => {
    const silent = modelOf({ family: 'mlp' });
    const usual: ModelInput = {
      family: 'mlp',
      loss: 'bce',
      optimizer: 'sgd',
      activation: 'relu',
      dropout: 0,
      patience: 0,
    };
    expect(layoutFingerprint(modelOf(usual))).toBe(layoutFingerprint(silent));
    expect(beyondKernel(silent.config)).toBeUndefined();
    expect(modelOf({ family: 'mf', loss: 'implicit' }).config).toEqual(modelOf({ family: 'mf' }).config);
  });

  it.each<[ModelInput, string]>([
    [{ family: 'mlp', loss: 'bpr' }, 'loss bpr'],
    [{ family: 'gmf', optimizer: 'adam' }, 'optimizer adam'],
    [{ family: 'neumf', activation: 'tanh' }, 'activation tanh'],
    [{ family: 'mlp', dropout: 0.5 }, 'dropout 0.5'],
    [{ family: 'gmf', patience: 2 }, 'patience 2'],
    [{ family: 'mf', loss: 'mse', ratingMean: 3 }, 'loss mse'],
  ])('go over the wire, and are beyond the kernel: %j', (input, what) => {
    const { config } = modelOf(input);
    expect(decodeModelConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
    expect(beyondKernel(config)).toBe(what);
    expect(() => decodeKernelConfig(config)).toThrow(`${what} trains in TensorFlow.js`);
  });

  it.each(MODEL_FAMILIES)('are no part of what the kernel trains: %s as it usually is', (family) => {
    const { config } = modelOf({ family });
    expect(decodeKernelConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
    expect(() => decodeKernelConfig({ ...config, dimension: 0 })).toThrow('model.dimension: 0 is not a');
    for (const wrong of [undefined, null, 7, {}, { family: 'knn' }, { family }])
      for (const decode of [decodeKernelConfig, decodeModelConfig])
        expect(() => decode(wrong)).toThrow(DecodeError);
  });

  it('bring defaults of their own: rates for Adam, epochs for early stopping, no pull of what was not rated', () => {
    const { config } = modelOf({ family: 'mlp', optimizer: 'adam', patience: 1 });
    expect(config).toMatchObject({ learningRate: 0.005, tableLearningRate: 0.03, epochs: 5 });
    expect(modelOf({ family: 'mlp', optimizer: 'adam', learningRate: 0.1 }).config).toMatchObject({
      learningRate: 0.1,
    });
    const rated = resolveModelConfig({ family: 'mf', loss: 'mse' }, { ...facts, meanRating: 3.5 });
    expect(rated).toMatchObject({ unobservedWeight: 0, ratingMean: 3.5 });
  });

  it('are told by what is wrong alone, and not by what would follow from it', () => {
    const content = { family: 'content', loss: 'mse' } as unknown as ModelInput;
    expect(() => resolveModelConfig(content, { ...facts, meanRating: 3.5 })).toThrow(
      /^model\.loss: is no field of the family content; mf, gmf, mlp, neumf have it$/,
    );
  });

  it.each<[Record<string, unknown>, string]>([
    [{ family: 'mlp', loss: 'hinge' }, 'model.loss: hinge is not one of bce, bpr, mse'],
    [{ family: 'mf', loss: 'bpr' }, 'model.loss: bpr is not one of implicit, mse'],
    [
      { family: 'mf', optimizer: 'adam' },
      'model.optimizer: is no field of the family mf; gmf, mlp, neumf have it',
    ],
    [
      { family: 'gmf', activation: 'tanh' },
      'model.activation: is no field of the family gmf; mlp, neumf have it',
    ],
    [{ family: 'gmf', hidden: [4] }, 'model.hidden: is no field of the family gmf; mlp, neumf have it'],
    [{ family: 'mlp', colour: 1 }, 'model.colour: is no field of the family mlp'],
    [{ family: 'mlp', dropout: 1 }, 'model.dropout: 1 is not a number from 0 to 0.9'],
    [{ family: 'mlp', patience: 1.5 }, 'model.patience: 1.5 is not a whole number from 0 to 100'],
    [{ family: 'mlp', patience: 1, epochs: 1 }, 'model.patience: ends training after an epoch'],
    [{ family: 'mlp', loss: 'mse' }, 'model.ratingMean: is needed with loss mse'],
    [{ family: 'mlp', ratingMean: 3 }, 'model.ratingMean: is for loss mse'],
  ])('are refused by name where they cannot be: %j', (input, problem) => {
    expect(() => resolveModelConfig(input as ModelInput, facts)).toThrow(problem);
    const whole = { ...resolveModelConfig({ family: input['family'] } as ModelInput, facts), ...input };
    expect(() => decodeModelConfig(whole)).toThrow(problem);
  });
});

/** What one step on one term moves, in float64, slow and readable; g is the gradient of the loss for a row's logit. */
interface Step {
  readonly model: Model;
  readonly shared: Float32Array;
  readonly person: Float32Array;
  /** Rows of the batch and the slope of each. */
  readonly rows: readonly (readonly [item: number, slope: number])[];
}

function gmfStep({ model, shared, person, rows }: Step): Float64Array {
  const { dimension: d, tableLearningRate, learningRate, l2 } = model.config as TowerConfig;
  const [table, bias, kernel, output] = model.layout.parameters.map(({ offset }) => offset) as [
    number,
    number,
    number,
    number,
  ];
  const delta = new Float64Array(shared.length);
  for (const [item, slope] of rows) {
    for (let j = 0; j < d; j++) {
      const [q, k, p] = [shared[table + item * d + j]!, shared[kernel + j]!, person[j]!];
      delta[table + item * d + j]! -= tableLearningRate * (slope * k * p + l2 * q);
      delta[kernel + j]! -= learningRate * slope * p * q;
    }
    delta[bias + item]! -= tableLearningRate * slope;
    delta[output]! -= learningRate * slope;
  }
  return delta;
}

const near = (actual: Float32Array, expected: Float64Array): void =>
  expect(Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(2e-6);

describe('losses', () => {
  const person = keepLocal(Float32Array.of(0.4, -0.7, 0.2));
  const scoresOf = async (model: Model, shared: Float32Array, items: number[]): Promise<number[]> => [
    ...(await (await load(model, shared)).score(person, Int32Array.from(items))),
  ];

  it('bpr draws each positive with each of its negatives, and steps by the slope of their difference', async () => {
    const model = modelOf({ family: 'gmf', dimension: 3, loss: 'bpr', negatives: 1, batchSize: 2 });
    const shared = weightsOf(model);
    const data = { positives: keepLocal(Int32Array.of(7)) };
    const update = await (await load(model, shared)).train(person, data, seededRandom('bpr'));
    const [positive, negative] = drawPairs(data.positives, ITEMS, 1, seededRandom('bpr')) as unknown as [
      number,
      number,
    ];
    const [high, low] = (await scoresOf(model, shared, [positive, negative])) as [number, number];
    const slope = -1 / (1 + Math.exp(high - low));
    near(
      update.delta,
      gmfStep({
        model,
        shared,
        person,
        rows: [
          [positive, slope],
          [negative, -slope],
        ],
      }),
    );
    expect([positive, update.examples]).toEqual([7, 2]);
    expect(update.loss).toBeCloseTo(Math.log1p(Math.exp(low - high)), 5);
    const pairs = drawPairs(positives, ITEMS, 3, seededRandom(1));
    expect([...pairs.filter((_, at) => at % 2 === 0)].sort()).toEqual(
      [1, 1, 1, 5, 5, 5, 9, 9, 9, 20, 20, 20].sort(),
    );
    expect(pairs.filter((item, at) => at % 2 === 1 && positives.includes(item))).toHaveLength(0);
    expect(drawPairs(Int32Array.of(0, 1), 2, 3, seededRandom(1))).toHaveLength(0);
  });

  it('mse goes down the squares of what is predicted less what was given, and leaves out what was not', async () => {
    const model = modelOf({ family: 'gmf', dimension: 3, loss: 'mse', ratingMean: 3 });
    const shared = weightsOf(model);
    const data: LocalData = {
      positives: keepLocal(Int32Array.of(4, 8)),
      ratings: keepLocal(Float32Array.of(5, Number.NaN)),
    };
    const update = await (await load(model, shared)).train(person, data, seededRandom(1));
    const [predicted] = (await scoresOf(model, shared, [4])) as [number];
    near(update.delta, gmfStep({ model, shared, person, rows: [[4, 2 * (predicted - 5)]] }));
    expect(update.loss).toBeCloseTo((predicted - 5) ** 2, 4);
    expect([...update.touchedRows]).toEqual([4]);
  });

  it('mf of ratings solves the person where the gradient of their squares is zero, and moves rated rows alone', async () => {
    const model = modelOf({ family: 'mf', dimension: 3, loss: 'mse', ratingMean: 3, regularization: 0.2 });
    const shared = weightsOf(model);
    const items = [4, 8, 9];
    const given = [5, 2, 4];
    const data: LocalData = {
      positives: keepLocal(Int32Array.of(...items, 12)),
      ratings: keepLocal(Float32Array.of(...given, Number.NaN)),
    };
    const loaded = await load(model, shared);
    const { local, delta, loss, touchedRows } = await loaded.train(undefined, data, seededRandom(1));
    const row = (item: number): Float32Array => shared.subarray(3 * item, 3 * item + 3);
    const error = (n: number): number =>
      3 +
      shared[3 * ITEMS + items[n]!]! +
      row(items[n]!).reduce((sum, h, j) => sum + h * local[j]!, 0) -
      given[n]!;
    for (let j = 0; j < 3; j++)
      expect(items.reduce((sum, item, n) => sum + error(n) * row(item)[j]!, 0.2 * 3 * local[j]!)).toBeCloseTo(
        0,
        4,
      );
    const expected = new Float64Array(shared.length);
    items.forEach((item, n) => {
      for (let j = 0; j < 3; j++) expected[3 * item + j] = -error(n) * local[j]!;
      expected[3 * ITEMS + item] = -error(n);
    });
    near(delta, expected);
    expect(loss).toBeCloseTo(items.reduce((sum, _, n) => sum + error(n) ** 2, 0) / 3, 4);
    expect([...touchedRows]).toEqual(items);
    const scores = await loaded.score(local);
    expect(scores[8]).toBeCloseTo(error(1) + 2, 4);
    expect((await loaded.rank(local, { k: 2 })).items).toHaveLength(2);
  });
});

describe('training', () => {
  it('with Adam moves each number that has a gradient by its rate in the first step, and no row that was not touched', async () => {
    const model = modelOf({ family: 'gmf', dimension: 3, optimizer: 'adam', batchSize: 1_000, l2: 0 });
    const shared = weightsOf(model);
    const { delta, touchedRows } = await (
      await load(model, shared)
    ).train(undefined, { positives }, seededRandom(1));
    const touched = new Set(touchedRows);
    for (const { role, offset, length } of model.layout.parameters)
      for (let at = offset; at < offset + length; at++) {
        const item = Math.floor((at - offset) / (length / ITEMS));
        const rate = role === 'dense' ? 0.005 : touched.has(item) ? 0.03 : 0;
        expect(Math.abs(delta[at]!)).toBeCloseTo(rate, 3);
      }
  });

  it.each([
    ['relu', (z: number) => Math.max(0, z)],
    ['tanh', Math.tanh],
    ['sigmoid', (z: number) => 1 / (1 + Math.exp(-z))],
    ['elu', (z: number) => (z > 0 ? z : Math.exp(z) - 1)],
    ['swish', (z: number) => z / (1 + Math.exp(-z))],
  ] as const)('and scoring have the activation %s', async (activation, of) => {
    const model = modelOf({ family: 'neumf', dimension: 2, hidden: [3], activation });
    const shared = weightsOf(model);
    const part = (name: string): Float32Array => {
      const { offset, length } = model.layout.parameters.find((one) => one.name === name)!;
      return shared.subarray(offset, offset + length);
    };
    const person = [0.5, -1, 0.8, 1.5];
    const item = part('items').subarray(4 * 7, 4 * 8);
    const inputs = [...person.slice(2), ...item.slice(2)];
    const hidden = [0, 1, 2].map((unit) =>
      of(
        inputs.reduce(
          (sum, value, i) => sum + value * part('hidden-0-kernel')[3 * i + unit]!,
          part('hidden-0-bias')[unit]!,
        ),
      ),
    );
    const logit =
      hidden.reduce((sum, value, unit) => sum + value * part('output-kernel')[unit]!, 0) +
      [0, 1].reduce((sum, j) => sum + person[j]! * item[j]! * part('product-kernel')[j]!, 0) +
      part('item-bias')[7]! +
      part('output-bias')[0]!;
    const loaded = await load(model, shared);
    const [score] = await loaded.score(keepLocal(Float32Array.from(person)), Int32Array.of(7));
    expect(score).toBeCloseTo(logit, 5);
    const { delta } = await loaded.train(undefined, { positives }, seededRandom(1));
    expect(delta.every(Number.isFinite)).toBe(true);
  });

  it('with dropout leaves silent units as they are, and draws them anew from the seed', async () => {
    const model = modelOf({
      family: 'mlp',
      dimension: 2,
      hidden: [30],
      activation: 'sigmoid',
      dropout: 0.5,
      batchSize: 1_000,
    });
    const loaded = await load(model, weightsOf(model));
    const one = { positives: keepLocal(Int32Array.of(3)) };
    const { offset, length } = model.layout.parameters.find(({ name }) => name === 'output-kernel')!;
    // 3 examples: a unit is silent in all of them with chance 1/8. A slope of a sigmoid is never 0 by itself.
    const silent = async (seed: number): Promise<string> => {
      const { delta } = await loaded.train(undefined, one, seededRandom(seed));
      return [...delta.subarray(offset, offset + length)].map((value) => (value === 0 ? 's' : '.')).join('');
    };
    const first = await silent(1);
    expect(first).toContain('s');
    expect(first).toContain('.');
    expect(await silent(1)).toBe(first);
    expect(await silent(2)).not.toBe(first);
  });

  it('with patience ends with the weights of the epoch that was best on the held-out item', async () => {
    const input = {
      family: 'gmf',
      dimension: 4,
      negatives: 4,
      batchSize: 8,
      tableLearningRate: 1.5,
    } as const;
    const [epochs, patience] = [6, 2];
    const model = modelOf({ ...input, epochs, patience });
    const shared = weightsOf(model);
    const local = await (await load(model, shared)).personalize(undefined, { positives }, seededRandom(0));
    const wanted = await (await load(model, shared)).train(local, { positives, heldOut }, seededRandom(5));
    const runs: { readonly delta: Float32Array; readonly distance: number }[] = [];
    for (let count = 1; count <= epochs; count++) {
      const shorter = modelOf({ ...input, epochs: count });
      const { delta } = await (await load(shorter, shared)).train(local, { positives }, seededRandom(5));
      const after = await load(
        shorter,
        shared.map((value, i) => value + delta[i]!),
      );
      const scores = await after.score(local);
      const others = [2, 3, 6, 8, 11];
      const distance = others.reduce(
        (sum, other) => sum + Math.log1p(Math.exp(scores[other]! - scores[30]!)),
        0,
      );
      runs.push({ delta, distance });
    }
    // The rule, once more: the best so far, until `patience` epochs have not bettered it.
    let best = 0;
    for (let at = 1; at < epochs && at - best < patience; at++)
      if (runs[at]!.distance < runs[best]!.distance) best = at;
    expect(runs.map(({ distance }) => distance)).not.toEqual(runs.map(() => runs[0]!.distance));
    expect(best).toBeLessThan(epochs - 1);
    near(wanted.delta, Float64Array.from(runs[best]!.delta));
  });

  it.each<ModelInput>([
    { family: 'mlp', dimension: 3, hidden: [4], loss: 'bpr', optimizer: 'adam', dropout: 0.2, patience: 1 },
    {
      family: 'neumf',
      dimension: 3,
      hidden: [4],
      loss: 'mse',
      ratingMean: 3,
      activation: 'elu',
      patience: 1,
    },
    { family: 'mf', dimension: 3, loss: 'mse', ratingMean: 3 },
  ])('leaves no tensor behind: %j', async (input) => {
    const model = modelOf(input);
    const data: LocalData = { positives, heldOut, ratings: keepLocal(Float32Array.of(1, 2, Number.NaN, 5)) };
    const before = tf.memory().numTensors;
    const loaded = await load(model, weightsOf(model));
    const loadedCount = tf.memory().numTensors;
    for (let n = 0; n < 2; n++) {
      const { local } = await loaded.train(undefined, data, seededRandom(n));
      await loaded.score(local);
      await loaded.score(local, Int32Array.of(3, 3));
      await loaded.train(undefined, { positives: keepLocal(new Int32Array(0)) }, seededRandom(n));
      expect(tf.memory().numTensors).toBe(loadedCount);
    }
    loaded.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each<ModelInput>([
    { family: 'gmf', dimension: 6, loss: 'bpr' },
    { family: 'gmf', dimension: 6, optimizer: 'adam', learningRate: 0.02, tableLearningRate: 0.1 },
    { family: 'mlp', dimension: 6, hidden: [8], activation: 'tanh', dropout: 0.2 },
  ])('learns a checkerboard of tastes: %j', async (input) => {
    const model = modelOf({ ...input, negatives: 4, batchSize: 64 } as ModelInput);
    let shared = initialShared(model, seededRandom('weights'));
    const random = seededRandom('board');
    const people = Array.from({ length: 12 }, (_, user) =>
      keepLocal(
        Int32Array.from({ length: ITEMS }, (_, item) => item).filter(
          (item) => item % 2 === user % 2 && random.float() < 0.6,
        ),
      ),
    );
    for (let round = 0; round < 12; round++) {
      const loaded = await load(model, shared);
      const sum = new Float32Array(shared.length);
      for (const [user, own] of people.entries()) {
        const { delta } = await loaded.train(undefined, { positives: own }, random.fork(round, user));
        delta.forEach((value, i) => (sum[i]! += value));
      }
      shared = shared.map((value, i) => value + sum[i]! / people.length);
      loaded.dispose();
    }
    const loaded = await load(model, shared);
    for (const [user, own] of people.entries()) {
      const scores = await loaded.score(
        await loaded.personalize(undefined, { positives: own }, seededRandom(user)),
      );
      const mean = (parity: number): number => {
        const unseen = scores.filter((_, item) => item % 2 === parity && !own.includes(item));
        return unseen.reduce((total, value) => total + value, 0) / unseen.length;
      };
      expect(mean(user % 2)).toBeGreaterThan(mean(1 - (user % 2)));
    }
    loaded.dispose();
  });
});
