import { keepLocal, seededRandom } from '@tutti/base';
import { createModel, defineModel, towerShape, type BackendName, type TowerConfig } from '@tutti/model';
import { openNodeTensorflow } from '@tutti/model/node';
import { describe, expect, it, vi } from 'vitest';
import { ask, modelOf, person, weightsOf } from '../test/people.ts';
import { loadTower, openTrainingEngine, openWasmKernel, stepCost, WIDE_STEP, type Kernel } from './index.ts';
import { mayLoadTensorflow, openNodeEngine } from './node.ts';
import { inOneMemory } from './reused-kernel.ts';

const narrow = modelOf({ family: 'mlp', dimension: 4, hidden: [8] }, 30);
const wide = modelOf({ family: 'neumf', dimension: 64, hidden: [128], batchSize: 1_024 }, 30);
const never = async (): Promise<never> => {
  throw new Error('TensorFlow.js was opened');
};

describe('an engine', () => {
  it('is the kernel for a narrow model, without opening TensorFlow.js, and says so', async () => {
    const { engine, backend } = await openTrainingEngine({ model: narrow, tensorflow: never });
    expect([engine, backend]).toEqual(['simd', 'simd']);
  });

  it('is TypeScript where WebAssembly is refused', async () => {
    const { Module } = WebAssembly;
    Object.assign(WebAssembly, {
      Module: class {
        constructor() {
          throw new WebAssembly.CompileError('refused by the content policy');
        }
      },
    });
    try {
      vi.resetModules();
      const fresh = await import('./index.ts');
      expect((await fresh.openTrainingEngine({ model: narrow })).engine).toBe('ts');
      await expect(fresh.openTrainingEngine({ model: narrow, engine: 'simd' })).rejects.toThrow(
        'does not run',
      );
    } finally {
      Object.assign(WebAssembly, { Module });
    }
  });

  it('is TensorFlow.js where that is asked for, by name or by backend', async () => {
    const byName = await openNodeEngine({ model: narrow, engine: 'tfjs', backend: 'wasm' });
    const byBackend = await openNodeEngine({ model: narrow, backend: 'wasm' });
    for (const { engine } of [byName, byBackend])
      expect([engine.engine, engine.backend]).toEqual(['tfjs', 'wasm']);
    await expect(openTrainingEngine({ model: narrow, engine: 'tfjs' })).rejects.toThrow('not given');
  });

  it.each([
    ['a narrow model', narrow, 'auto', 'auto', false],
    ['a wide one', wide, 'auto', 'auto', true],
    ['a wide one in the kernel by name', wide, 'simd', 'auto', false],
    ['a backend by name', narrow, 'auto', 'wasm', true],
    ['the engine by name', narrow, 'tfjs', 'auto', true],
    [
      'what the kernel does not have',
      modelOf({ family: 'gmf', optimizer: 'adam' }, 30),
      'auto',
      'auto',
      true,
    ],
  ] as const)('may load TensorFlow.js or does not: %s', async (_what, model, engine, backend, may) => {
    expect(mayLoadTensorflow({ model, engine, backend })).toBe(may);
  });

  it('has no backend where it is a kernel', async () => {
    for (const engine of ['simd', 'ts'] as const)
      await expect(openNodeEngine({ model: narrow, engine, backend: 'cpu' })).rejects.toThrow(
        `backend: cpu is one of TensorFlow.js, and the engine ${engine} has none`,
      );
  });

  it.each([
    ['the accelerator', 'tensorflow', [0, 1, 10, 12], 'tfjs'],
    ['the kernel', 'tensorflow', [0, 5, 10, 12], 'simd'],
    ['the kernel, without a trial,', 'wasm', [], 'simd'],
  ] as const)('of a wide model is %s where the clock says so (%s)', async (_which, backend, times, taken) => {
    expect(stepCost(wide)).toBe(3 * 1_024 * 64 * 128);
    expect(stepCost(wide)).toBeGreaterThan(WIDE_STEP);
    const { tf } = await openNodeTensorflow({ backend: 'wasm' });
    const clock = [...times];
    const { engine } = await openTrainingEngine({
      model: wide,
      tensorflow: async () => ({ tf, backend: backend as BackendName }),
      now: () => clock.shift() as number,
    });
    expect(engine).toBe(taken);
    expect(clock).toEqual([]);
  });

  it('does with the kernel where no accelerator opens', async () => {
    expect((await openTrainingEngine({ model: wide, tensorflow: never })).engine).toBe('simd');
  });

  it('is TensorFlow.js for what the kernel does not have, and the kernel by name is refused', async () => {
    const bpr = modelOf({ family: 'gmf', dimension: 4, loss: 'bpr' }, 30);
    expect((await openNodeEngine({ model: bpr })).engine.engine).toBe('tfjs');
    await expect(openTrainingEngine({ model: bpr })).rejects.toThrow(
      'TensorFlow.js is not given, and loss bpr trains in nothing else',
    );
    for (const engine of ['simd', 'ts'] as const)
      await expect(openTrainingEngine({ model: bpr, engine })).rejects.toThrow(
        `engine ${engine}: loss bpr trains in TensorFlow.js`,
      );
  });

  it('refuses weights of another layout', async () => {
    const engine = await openTrainingEngine({ model: narrow });
    await expect(engine.load(new Float32Array(3))).rejects.toThrow('3 weights; the layout has');
  });

  it('leaves nothing in memory once it is disposed of', async () => {
    let kernel: Kernel | undefined;
    const { config, layout, items } = narrow;
    const tower = {
      shape: towerShape(config as TowerConfig),
      training: config as TowerConfig,
      layout,
      items,
    };
    const loaded = loadTower((bytes) => (kernel = openWasmKernel(bytes)), tower, weightsOf(narrow));
    await loaded.train(undefined, person(1, 2, 3), seededRandom(1));
    await loaded.rank(keepLocal(Float32Array.of(1, 2, 3, 4)), { k: 3 });
    expect(kernel?.bytes.some((byte) => byte !== 0)).toBe(true);
    loaded.dispose();
    expect(kernel?.bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('stands where the one before it stood, where they come one after another, and is none the worse for it', async () => {
    const opened: number[] = [];
    const openKernel = inOneMemory((bytes) => (opened.push(bytes), openWasmKernel(bytes)));
    const engine = await openTrainingEngine({ model: narrow, engine: 'simd', openKernel });
    const fresh = await openTrainingEngine({ model: narrow, engine: 'simd' });
    const all = person(...Array.from({ length: narrow.items }, (_, item) => item));
    const askBoth = async (data: typeof all): Promise<void> => {
      const [loaded, expected] = [await engine.load(weightsOf(narrow)), await fresh.load(weightsOf(narrow))];
      expect(await ask(loaded, data)).toEqual(await ask(expected, data));
      loaded.dispose();
    };
    await askBoth(all);
    await askBoth(person(3));
    expect(opened).toHaveLength(1);
    const [one, other] = [await engine.load(weightsOf(narrow)), await engine.load(weightsOf(narrow))];
    expect(opened).toHaveLength(2);
    one.dispose();
    expect(await ask(other, all)).toEqual(await ask(await fresh.load(weightsOf(narrow)), all));
  });
});

describe('an app’s own model', () => {
  const definition = defineModel({
    name: 'taste',
    version: 1,
    shared: { items: { perItem: true, shape: [2] } },
    local: 2,
    window: 1,
    score: (tf, { shared, local, items }) =>
      tf.sum(tf.mul(tf.gather(shared.items, items), tf.expandDims(local, 1)), 2),
  });
  const model = createModel(definition.config, 20);

  it('trains in TensorFlow.js, on whichever backend is fastest', async () => {
    const { engine } = await openNodeEngine({ model, definition });
    expect(engine.engine).toBe('tfjs');
    expect(['tensorflow', 'wasm']).toContain(engine.backend);
  });

  it.each(['simd', 'ts'] as const)('is refused by %s', async (engine) => {
    await expect(openNodeEngine({ model, definition, engine })).rejects.toThrow(
      `engine ${engine}: an app's own model (taste) trains in TensorFlow.js`,
    );
  });
});
