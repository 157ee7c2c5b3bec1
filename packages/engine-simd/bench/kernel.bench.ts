/**
 * One person's epoch (on-device-training.md §1: 165 positives with 4 negatives each, batches of 64, 3,706 items, d = 32, layers 32-16) in the
 * kernel, in TypeScript, in the TensorFlow.js definition and in `layers.fit` of the same network; and the best 20 of a million items.
 *
 *     node --import ./packages/base/source.js packages/engine-simd/bench/kernel.bench.ts
 */
import { cpus, loadavg } from 'node:os';
import { keepLocal, seededRandom } from '@tutti/base';
import {
  createModel,
  drawExamples,
  type Examples,
  initialShared,
  type LoadedModel,
  type Model,
  resolveModelConfig,
  type Tensorflow,
  towerShape,
} from '@tutti/model';
import { openNodeTensorflow } from '@tutti/model/node';
import { openTrainingEngine, type EngineChoice } from '../src/index.ts';

const ITEMS = 3_706;
const POSITIVES = 165;
const BATCH = 64;
const RATE = 0.05;
/** The mean of a batch for every weight, rows too, and no pull: what `layers.fit` does. */
const facts = { items: ITEMS, meanHistory: POSITIVES };
const config = resolveModelConfig(
  {
    ...{ family: 'mlp', dimension: 32, hidden: [32, 16], epochs: 1, batchSize: BATCH, negatives: 4 },
    ...{ learningRate: RATE, tableLearningRate: RATE / BATCH, l2: 0 },
  },
  facts,
);
if (config.family !== 'mlp') throw new Error('not an mlp');
const model = createModel(config, ITEMS);
const shared = initialShared(model, seededRandom('weights'));
const data = {
  positives: keepLocal(Int32Array.from({ length: POSITIVES }, (_, i) => (i * 22 + (i % 7)) % ITEMS)),
};
const vector = keepLocal(Float32Array.from({ length: model.localLength }, (_, i) => 0.3 * Math.sin(i + 1)));
const { tf } = await openNodeTensorflow({ backend: 'wasm' });

/** Sorted milliseconds of `runs` calls, after as many as warm it up. */
async function timed(runs: number, run: () => Promise<unknown>): Promise<number[]> {
  for (let i = 0; i < Math.ceil(runs / 4); i++) await run();
  const spent: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await run();
    spent.push(performance.now() - start);
  }
  return spent.sort((a, b) => a - b);
}

const open = async (engine: EngineChoice, which: Model, weights: Float32Array): Promise<LoadedModel> =>
  (
    await openTrainingEngine({
      model: which,
      engine,
      tensorflow: async () => ({ tf, backend: 'wasm' }),
    })
  ).load(weights);

/** The same network as layers, from the same weights. */
function asLayers(): ReturnType<Tensorflow['model']> {
  const d = towerShape(config as Parameters<typeof towerShape>[0]).width;
  const item = tf.input({ shape: [1], dtype: 'int32' });
  const person = tf.input({ shape: [d] });
  const flat = (node: unknown): unknown => tf.layers.flatten().apply(node as never);
  const q = flat(tf.layers.embedding({ inputDim: ITEMS, outputDim: d, name: 'items' }).apply(item));
  const bias = flat(tf.layers.embedding({ inputDim: ITEMS, outputDim: 1, name: 'item-bias' }).apply(item));
  const both = tf.layers.multiply().apply([person, q] as never);
  let hidden: unknown = tf.layers.concatenate().apply([person, q, both] as never);
  for (const [index, units] of [32, 16].entries())
    hidden = tf.layers.dense({ units, activation: 'relu', name: `hidden-${index}` }).apply(hidden as never);
  const terms = [
    tf.layers.dense({ units: 1, useBias: false, name: 'product' }).apply(both),
    tf.layers.dense({ units: 1, name: 'output' }).apply(hidden as never),
    bias,
  ];
  const chance = tf.layers.activation({ activation: 'sigmoid' }).apply(tf.layers.add().apply(terms as never));
  const network = tf.model({ inputs: [item, person], outputs: chance as never });
  network.compile({ optimizer: tf.train.sgd(RATE), loss: 'binaryCrossentropy' });
  return network;
}

function resetLayers(network: ReturnType<typeof asLayers>): void {
  const part = (name: string) => {
    const found = model.layout.parameters.find((parameter) => parameter.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    const { offset, length, shape } = found;
    return tf.tensor(shared.slice(offset, offset + length), [...shape]);
  };
  const names: Readonly<Record<string, readonly string[]>> = {
    items: ['items'],
    'item-bias': ['item-bias'],
    'hidden-0': ['hidden-0-kernel', 'hidden-0-bias'],
    'hidden-1': ['hidden-1-kernel', 'hidden-1-bias'],
    product: ['product-kernel'],
    output: ['output-kernel', 'output-bias'],
  };
  tf.tidy(() => {
    for (const [layer, parts] of Object.entries(names)) network.getLayer(layer).setWeights(parts.map(part));
  });
}

async function fitLayers(network: ReturnType<typeof asLayers>, { items, labels }: Examples): Promise<number> {
  const [x, p, y] = tf.tidy(() => [
    tf.tensor2d(items, [items.length, 1], 'int32'),
    tf.tile(tf.tensor2d(vector, [1, vector.length]), [items.length, 1]),
    tf.tensor2d(labels, [labels.length, 1]),
  ]);
  const history = await network.fit([x, p] as never, y, {
    ...{ epochs: 1, batchSize: BATCH, shuffle: false, verbose: 0 },
  });
  tf.dispose([x, p, y]);
  return (history.history['loss'] as number[])[0] as number;
}

const rows: string[] = [];
const row = (name: string, spent: readonly number[], loss?: number): void => {
  const at = (share: number): string => (spent[Math.floor(share * (spent.length - 1))] as number).toFixed(2);
  rows.push(`| ${name} | ${at(0)} | ${at(0.5)} | ${at(0.9)} | ${loss?.toFixed(5) ?? ''} |`);
};
const spentBy = new Map<string, readonly number[]>();
const losses = new Map<string, number>();
const note = async (name: string, runs: number, run: () => Promise<number>): Promise<void> => {
  losses.set(name, await run());
  const spent = await timed(runs, run);
  spentBy.set(name, spent);
  row(name, spent, losses.get(name));
};

for (const [engine, runs] of [
  ['simd', 400],
  ['ts', 60],
  ['tfjs', 20],
] as const) {
  const loaded = await open(engine, model, shared);
  await note(engine, runs, async () => (await loaded.train(vector, data, seededRandom(1))).loss);
  loaded.dispose();
}
const network = asLayers();
const examples = drawExamples(data.positives, ITEMS, 4, seededRandom(1));
await note('tfjs wasm layers.fit', 8, async () => {
  resetLayers(network);
  return fitLayers(network, examples);
});
const expected = losses.get('simd') as number;
for (const [name, loss] of losses)
  if (!(Math.abs(loss - expected) < 1e-4)) throw new Error(`${name} has a loss of ${loss}, not ${expected}`);

const MILLION = 1_000_000;
const wide = createModel(
  resolveModelConfig({ family: 'mf', dimension: 32 }, { items: MILLION, meanHistory: 100 }),
  MILLION,
);
const table = new Float32Array(wide.layout.length);
const random = seededRandom('table');
for (let i = 0; i < table.length; i++) table[i] = random.float() - 0.5;
const catalogue = await open('simd', wide, table);
row('best 20 of 1,000,000, d = 32, simd', await timed(40, () => catalogue.rank(vector, { k: 20 })));

/** How many times as long as the kernel another takes: at best (which a busy machine blurs least), and in the median. */
function times(slow: string): string {
  const ratio = (share: number): string => {
    const [own, other] = ['simd', slow].map((name) => {
      const spent = spentBy.get(name) ?? [];
      return spent[Math.floor(share * (spent.length - 1))] as number;
    }) as [number, number];
    return (other / own).toFixed(1);
  };
  return `${slow} takes ${ratio(0)} times as long at best, ${ratio(0.5)} in the median`;
}
process.stdout.write(
  [
    `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)}`,
    '',
    '| one core | best ms | median ms | 90 % below | loss |',
    '| --- | --: | --: | --: | --: |',
    ...rows,
    '',
    `Beside simd: ${['ts', 'tfjs', 'tfjs wasm layers.fit'].map(times).join('; ')}`,
    '',
  ].join('\n'),
);
