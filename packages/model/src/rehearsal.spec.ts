import { beforeAll, describe, expect, it } from 'vitest';
import { createModel, fastestBackend, resolveModelConfig, useBackend, type Tensorflow } from './index.ts';
import { openNodeTensorflow } from './node.ts';

const facts = { items: 50, meanHistory: 10 };
const model = createModel(resolveModelConfig({ family: 'mlp', dimension: 4, hidden: [4] }, facts), 50);

let tf: Tensorflow;
beforeAll(async () => {
  ({ tf } = await openNodeTensorflow({ backend: 'wasm' }));
});

describe('the backend of TensorFlow.js', () => {
  it.each([
    [[0, 1, 10, 12], 'cpu'],
    [[0, 5, 10, 12], 'wasm'],
  ] as const)('is the one that trains the model faster (clock %j: %s)', async (times, expected) => {
    const clock = [...times];
    const before = tf.memory().numTensors;
    const now = () => clock.shift() as number;
    const { backend, failures } = await fastestBackend({ model, tf, backends: ['cpu', 'wasm'], now });
    expect([backend, tf.getBackend(), failures]).toEqual([expected, expected, []]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is one that starts; why others did not is told', async () => {
    const { backend, failures } = await fastestBackend({ model, tf, backends: ['webgl', 'wasm'] });
    expect(backend).toBe('wasm');
    expect(failures).toEqual([expect.stringMatching(/^webgl: .*did not start/)]);
    await expect(fastestBackend({ model, tf, backends: ['webgl'] })).rejects.toThrow('webgl');
  });

  it('is found by rehearsal where Node opens it for a model, and said', async () => {
    const opened = await openNodeTensorflow({ model });
    expect(opened.tf.getBackend()).toBe(opened.backend);
    expect(['tensorflow', 'wasm']).toContain(opened.backend);
    for (const note of opened.notes) expect(note).toContain(`fastest on ${opened.backend}`);
  });

  it('is refused where it gets a known gradient wrong', async () => {
    const kernel = tf.getKernel('ScatterNd', 'cpu');
    if (kernel === undefined) throw new Error('cpu has no ScatterNd');
    tf.unregisterKernel('ScatterNd', 'cpu');
    tf.unregisterKernel('UnsortedSegmentSum', 'cpu');
    // Sums of twice the numbers: the patch is made anew, from a kernel that is wrong.
    const wrong: typeof kernel.kernelFunc = (call) =>
      kernel.kernelFunc({
        ...call,
        inputs: { ...call.inputs, updates: tf.mul(call.inputs['updates'] as never, 2) },
      });
    tf.registerKernel({ ...kernel, kernelFunc: wrong });
    try {
      await expect(useBackend(tf, 'cpu')).rejects.toThrow('gets the gradient of gather wrong');
    } finally {
      tf.unregisterKernel('ScatterNd', 'cpu');
      tf.unregisterKernel('UnsortedSegmentSum', 'cpu');
      tf.registerKernel(kernel);
      await useBackend(tf, 'cpu');
    }
  });

  it('multiplies transposed matrices on wasm as on cpu', async () => {
    const products = async (): Promise<number[][]> => {
      const values = tf.tidy(() => {
        const [a, b] = [tf.range(0, 24).reshape([2, 3, 4]), tf.range(5, 29).reshape([2, 4, 3])];
        return [
          tf.matMul(a, b),
          tf.matMul(a, a, true, false),
          tf.matMul(a, a, false, true),
          tf.matMul(a, b, true, true),
        ];
      });
      const read = await Promise.all(values.map(async (value) => Array.from(await value.data())));
      tf.dispose(values);
      return read;
    };
    await useBackend(tf, 'cpu');
    const onCpu = await products();
    await useBackend(tf, 'wasm');
    const before = tf.memory().numDataBuffers;
    expect(await products()).toEqual(onCpu);
    expect(tf.memory().numDataBuffers).toBe(before);
  });
});
