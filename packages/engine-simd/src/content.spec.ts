import { createEngine } from '@tutti/model';
import { openNodeTensorflow } from '@tutti/model/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { ask, distance, modelOf, person, weightsOf, type Told } from '../test/people.ts';
import { kernelEngine } from './kernel-engine.ts';

const ITEMS = 60;
const data = person(5, 1, 20, 33, 59);

describe.each([6, 7, 8])('a content model of dimension %i', (dimension) => {
  const model = modelOf({ family: 'content', dimension }, ITEMS);
  let definition: Told;
  beforeAll(async () => {
    const { tf } = await openNodeTensorflow({ backend: 'cpu' });
    const loaded = await (await createEngine({ model, tf, backend: 'cpu' })).load(weightsOf(model));
    definition = await ask(loaded, data);
    loaded.dispose();
  });

  it.each(['simd', 'ts'] as const)('is in kernel %s what the definition says', async (name) => {
    const loaded = await kernelEngine(model, name).load(weightsOf(model));
    const kernel = await ask(loaded, data);
    const again = await ask(loaded, data);
    loaded.dispose();
    expect(again).toEqual(kernel);
    for (const update of ['update', 'fresh'] as const) {
      expect(kernel[update].ranges).toEqual(definition[update].ranges);
      expect(distance(kernel[update].delta, definition[update].delta)).toBeLessThan(1e-5);
      expect(kernel[update].loss).toBeCloseTo(definition[update].loss, 6);
    }
    expect(distance(kernel.vector, definition.vector)).toBeLessThan(1e-5);
    expect(distance(kernel.scores, definition.scores)).toBeLessThan(1e-5);
    expect(kernel.ranking.items).toEqual(definition.ranking.items);
  });

  it('refuses weights of another layout', async () => {
    await expect(kernelEngine(model, 'ts').load(new Float32Array(3))).rejects.toThrow('3 weights');
  });
});
