import { UsageError } from '@tutti/base';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkedDefinition,
  createEngine,
  createModel,
  defineModel,
  rehearseDefinition,
  type OwnModel,
  type ScoreInput,
  type Tensorflow,
} from './index.ts';
import { fastestBackend } from './rehearsal.ts';
import { openNodeTensorflow } from './node.ts';

const shared = { items: { perItem: true, shape: [2] } } as const;
const good = (tf: Tensorflow, { shared: tables, local, items }: ScoreInput) =>
  tf.sum(tf.mul(tf.gather(tables['items'] as ScoreInput['items'], items), tf.expandDims(local, 1)), 2);
const definition = (parts: Partial<Pick<OwnModel, 'score' | 'loss'>>): OwnModel =>
  defineModel({ name: 'pairs', version: 1, shared, local: 2, window: 1, score: good, ...parts });

let tf: Tensorflow;
beforeAll(async () => {
  ({ tf } = await openNodeTensorflow({ backend: 'cpu' }));
});

async function rehearse(own: OwnModel, items = 12): Promise<void> {
  const model = createModel(own.config, items);
  await rehearseDefinition(
    await createEngine({ model, tf, backend: 'cpu', definition: checkedDefinition(own) }),
  );
}

describe('the code of an app’s own model', () => {
  it.each([1, 2, 12, 200])('runs for a made-up person with a catalogue of %i items', async (items) => {
    const before = tf.memory().numTensors;
    await rehearse(definition({}), items);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each<[string, Partial<Pick<OwnModel, 'score' | 'loss'>>, string]>([
    [
      'throws',
      {
        score: () => {
          throw new TypeError('tastes is undefined');
        },
      },
      'model pairs 1, score: tastes is undefined',
    ],
    [
      'gives what only looks like a tensor',
      { score: (_, { items }) => ({ shape: items.shape }) as never },
      'score gave a value of type object; a tensor is needed',
    ],
    [
      'is async',
      { score: (async () => tf.scalar(1)) as unknown as OwnModel['score'] },
      'score gave a promise (it must not be async)',
    ],
    [
      'gives nothing',
      { score: (() => undefined) as unknown as OwnModel['score'] },
      'a value of type undefined',
    ],
    [
      'forgets an axis',
      { score: (lib, input) => lib.expandDims(good(lib, input), 2) },
      'score gave a tensor of [1, 12, 1]; [B, C], here [1, 12], is needed',
    ],
    [
      'forgets the mean',
      { loss: (lib, { scores }) => lib.sum(scores, 1) },
      'loss gave a tensor of [8]; one number (tf.mean of what there is) is needed',
    ],
    [
      'takes the logarithm of a negative number',
      { loss: (lib, { scores }) => lib.mean(lib.log(lib.neg(lib.abs(scores)))) },
      'loss gave something that is no finite number',
    ],
    [
      'scores with something that is no number',
      { score: (lib, input) => lib.log(lib.neg(lib.abs(good(lib, input)))) },
      'score gave something that is no finite number',
    ],
    [
      'has a loss that depends on nothing that is trained',
      { loss: (lib) => lib.scalar(1) },
      'model pairs 1 cannot be trained: Cannot find a connection',
    ],
  ])('that %s is refused in words', async (_, parts, message) => {
    const failure = await rehearse(definition(parts)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UsageError);
    expect((failure as Error).message).toContain(message);
  });

  it('is not taken for a backend that does not start', async () => {
    const own = checkedDefinition(definition({ loss: (lib, { scores }) => lib.sum(scores, 1) }));
    const trial = fastestBackend({
      model: createModel(own.config, 12),
      tf,
      backends: ['cpu'],
      definition: own,
    });
    await expect(trial).rejects.toThrow(UsageError);
  });

  it('is there: a definition without it is refused at once', () => {
    const none = { score: undefined } as unknown as Pick<OwnModel, 'score'>;
    expect(() => definition(none)).toThrow('model.score: a function is needed');
    expect(() =>
      defineModel({ ...definition({}).config, shared, score: good, module: 5 as unknown as string }),
    ).toThrow('model.module: a text is needed');
    expect(() => definition({ loss: 3 as unknown as OwnModel['loss'] })).toThrow(
      'model.loss: a function is needed',
    );
  });
});
