import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { keepLocal, seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { createEngine } from './engine.ts';
import { layersFiles } from './layers-model.ts';
import { createModel, initialShared } from './model.ts';
import { resolveModelConfig } from './config.ts';
import { openNodeTensorflow } from './node.ts';
import type { ModelInput } from './types.ts';

const ITEMS = 40;

/** Serves files as a web server does, so that TensorFlow.js opens them as it does in a page. */
async function serving<T>(
  files: ReadonlyMap<string, Uint8Array>,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const server = createServer((request, response) => {
    const body = files.get((request.url ?? '').slice(1));
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('a model for TensorFlow.js', () => {
  it.each<[string, ModelInput]>([
    ['mf', { family: 'mf', dimension: 6 }],
    ['mf of ratings', { family: 'mf', dimension: 6, loss: 'mse', ratingMean: 3.5 }],
    ['gmf', { family: 'gmf', dimension: 6 }],
    ['mlp', { family: 'mlp', dimension: 6, hidden: [8, 4] }],
    [
      'mlp with swish, of ratings',
      { family: 'mlp', dimension: 6, hidden: [8], activation: 'swish', loss: 'mse', ratingMean: 3 },
    ],
    ['neumf', { family: 'neumf', dimension: 6, hidden: [8, 4] }],
    ['neumf with elu', { family: 'neumf', dimension: 4, hidden: [5], activation: 'elu' }],
  ])('is opened by tf.loadLayersModel and scores as ours does: %s', async (_, input) => {
    const model = createModel(resolveModelConfig(input, { items: ITEMS, meanHistory: 5 }), ITEMS);
    const random = seededRandom('layers');
    // Every weight counts: heads and biases that start at nothing would hide a mistake.
    const shared = Float32Array.from({ length: model.layout.length }, () => random.normal());
    const { tf, backend } = await openNodeTensorflow({ backend: 'cpu' });
    const vector = Float32Array.from({ length: model.localLength }, () => random.normal());
    const loaded = await (await createEngine({ model, tf, backend })).load(shared);
    const ours = await loaded.score(keepLocal(vector));
    loaded.dispose();

    await serving(await layersFiles(tf, model, shared), async (url) => {
      const before = tf.memory().numTensors;
      const opened = await tf.loadLayersModel(`${url}/model.json`);
      const person = tf.tensor2d(Array.from({ length: ITEMS }, () => [...vector]));
      const item = tf.tensor2d(
        Array.from({ length: ITEMS }, (__, at) => [at]),
        [ITEMS, 1],
        'int32',
      );
      const scores = opened.predict([person, item]) as typeof person;
      const theirs = await scores.data();
      const spread = Math.max(...ours) - Math.min(...ours);
      expect(spread).toBeGreaterThan(0.1);
      expect(theirs).toHaveLength(ITEMS);
      for (const [at, score] of [...ours].entries()) expect(theirs[at]).toBeCloseTo(score, 4);
      tf.dispose([person, item, scores]);
      opened.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  it('is in shards of four mebibytes, and holds nothing of anybody', async () => {
    const items = 40_000;
    const model = createModel(
      resolveModelConfig({ family: 'mf', dimension: 32 }, { items, meanHistory: 5 }),
      items,
    );
    const { tf } = await openNodeTensorflow({ backend: 'cpu' });
    const before = tf.memory().numTensors;
    const files = await layersFiles(tf, model, initialShared(model, seededRandom(1)));
    expect(tf.memory().numTensors).toBe(before);
    expect([...files.keys()].sort()).toEqual([
      ...['group1-shard1of2.bin', 'group1-shard2of2.bin', 'model.json'],
    ]);
    const bytes = [...files].reduce(
      (sum, [name, each]) => sum + (name.endsWith('.bin') ? each.length : 0),
      0,
    );
    expect(bytes).toBe(4 * model.layout.length);
  });

  it('is refused for an app’s own, which is in TensorFlow.js already', async () => {
    const { tf } = await openNodeTensorflow({ backend: 'cpu' });
    const own = { config: { family: 'own' } } as unknown as ReturnType<typeof createModel>;
    await expect(layersFiles(tf, own, new Float32Array(0))).rejects.toThrow('own model');
  });
});
