import { utf8 } from '@tutti/base';
import { decodeStrategyState } from '@tutti/aggregation';
import { memoryBlobs, memoryStore, StaleTaskError, type TaskConfig } from '@tutti/coordination';
import { createModel, decodeCheckpoint, itemVectors, resolveModelConfig, type Model } from '@tutti/model';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { openStory, taskConfig, type Story } from './federation.ts';

/** A catalogue that grows while its task goes on: what there was stays to the bit, and new items begin where theirs are. */

const BEFORE = 12;
const AFTER = 15;
const modelOf = (items: number, family: 'mf' | 'mlp' = 'mf'): Model =>
  createModel(
    resolveModelConfig(family === 'mf' ? { family, dimension: 4 } : { family, dimension: 4, hidden: [3] }, {
      items,
      meanHistory: 3,
    }),
    items,
  );
const catalogueOf = (items: number, over: object = {}): Uint8Array =>
  utf8(JSON.stringify({ ids: Array.from({ length: items }, (_, item) => `film-${item}`), ...over }));

const config = (items: number, over: Partial<TaskConfig> = {}): TaskConfig =>
  taskConfig({ model: modelOf(items), catalogue: catalogueOf(items), rounds: 9, ...over });

const durable = () => ({ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) });

async function play(story: Story, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'committed' });
  }
}

/** The newest weights. */
async function weightsOf(story: Story, model: Model): Promise<Float32Array> {
  const bytes = await story.blobs.get(story.coordination.taskInfo('films')?.modelHash ?? '');
  return decodeCheckpoint(bytes, model.layout).shared;
}

describe('a catalogue that grows', () => {
  it.each(['fedavg', 'fedadam'] as const)(
    'keeps every weight and moment of %s, and rounds go on over the longer table',
    async (name) => {
      const parts = durable();
      const strategy = { name };
      const first = await openStory({ count: 8, config: config(BEFORE, { strategy }), ...parts });
      await play(first, 2);
      const before = await weightsOf(first, modelOf(BEFORE));
      const moments = await momentsOf(parts);

      const second = await openStory({ count: 8, config: config(AFTER, { strategy }), ...parts });
      const grown = await weightsOf(second, modelOf(AFTER));
      expect(grown.subarray(0, before.length)).toEqual(before);
      expect(grown.length).toBe(AFTER * 4);
      expect(grown.subarray(before.length).some((value) => value !== 0)).toBe(true);
      const longer = await momentsOf(parts);
      expect(longer.step).toBe(moments.step);
      for (const which of ['first', 'second'] as const) {
        expect(longer[which].subarray(0, moments[which].length)).toEqual(moments[which]);
        expect(longer[which].subarray(moments[which].length).every((value) => value === 0)).toBe(true);
      }
      expect(second.coordination.status('films')?.round).toBe(2);
      await play(second, 2);
      expect(second.coordination.rounds('films')).toHaveLength(4);
      // A restart without a change adds nothing.
      const entries = (await parts.store.readJournal('films')).length;
      await openStory({ count: 8, config: config(AFTER, { strategy }), ...parts });
      expect((await parts.store.readJournal('films')).length).toBe(entries);
    },
  );

  it('keeps the layers of a neural model behind a longer table', async () => {
    const parts = durable();
    const [small, large] = [modelOf(BEFORE, 'mlp'), modelOf(AFTER, 'mlp')];
    await openStory({ count: 8, config: config(BEFORE, { model: small }), ...parts });
    const story = await openStory({ count: 8, config: config(AFTER, { model: large }), ...parts });
    const before = await weightsBefore(parts, small);
    const now = await weightsOf(story, large);
    for (const { name, offset, length } of small.layout.parameters) {
      const there = large.layout.parameters.find((parameter) => parameter.name === name);
      expect(now.subarray(there?.offset, (there?.offset ?? 0) + length), name).toEqual(
        before.subarray(offset, offset + length),
      );
    }
  });

  it('begins a new item where those with its genres are, by how many both have', async () => {
    const parts = durable();
    const genres = Array.from({ length: BEFORE }, (_, item) => (item < 6 ? ['war'] : ['love', 'music']));
    const start = config(BEFORE, { catalogue: catalogueOf(BEFORE, { genres }) });
    await play(await openStory({ count: 8, config: start, ...parts }), 1);
    const more = [...genres, ['war'], ['love'], ['unheard of']];
    const grownConfig = config(AFTER, { catalogue: catalogueOf(AFTER, { genres: more }) });
    const story = await openStory({ count: 8, config: grownConfig, ...parts });
    const { values } = itemVectors(modelOf(AFTER), await weightsOf(story, modelOf(AFTER)));
    const meanOf = (from: number, to: number): number[] =>
      Array.from({ length: 4 }, (_, at) => {
        let sum = 0;
        for (let item = from; item < to; item++) sum += values[4 * item + at] as number;
        return sum / (to - from);
      });
    for (const [item, expected] of [
      [12, meanOf(0, 6)],
      [13, meanOf(6, 12)],
    ] as const)
      for (let at = 0; at < 4; at++) expect(values[4 * item + at]).toBeCloseTo(expected[at] as number, 6);
    // Nobody shares its genre: it begins at random.
    expect([...values.subarray(56, 60)].some((value) => value !== 0)).toBe(true);
  });

  it('forgets a grown model when enough newer ones are kept, and never the newest', async () => {
    const parts = durable();
    await openStory({ count: 8, config: config(BEFORE), ...parts });
    const story = await openStory({ count: 8, config: config(AFTER), ...parts });
    const grown = story.coordination.taskInfo('films')?.modelHash ?? '';
    await play(story, 2);
    expect(await parts.blobs.get(grown)).toBeDefined();
    await play(story, 1);
    expect(await parts.blobs.get(grown)).toBeUndefined();
    expect(await weightsOf(story, modelOf(AFTER))).toBeDefined();
  });

  it.each<[string, TaskConfig]>([
    [
      'other items in the known rows',
      config(AFTER, { catalogue: utf8(JSON.stringify({ ids: ['x', 'y', 'z'] })) }),
    ],
    [
      'vectors of another length',
      config(AFTER, {
        model: createModel(
          resolveModelConfig({ family: 'mf', dimension: 5 }, { items: AFTER, meanHistory: 3 }),
          AFTER,
        ),
      }),
    ],
    ['another family', config(AFTER, { model: modelOf(AFTER, 'mlp') })],
  ])('refuses %s', async (_name, changed) => {
    const parts = durable();
    await openStory({ count: 8, config: config(BEFORE), ...parts });
    await expect(openStory({ count: 8, config: changed, ...parts })).rejects.toThrow(StaleTaskError);
    expect(await parts.store.readJournal('films')).toHaveLength(1);
  });

  it('refuses to grow under noise that runs over many rounds, and says why', async () => {
    const parts = durable();
    const noise = { multiplier: 0.1, metricMultiplier: 0, mechanism: { name: 'tree', steps: 8 } } as const;
    const policy = { trustCoordinatorNoise: true };
    const first = await openStory({ count: 8, config: config(BEFORE, { noise }), policy, ...parts });
    await play(first, 1);
    await expect(openStory({ count: 8, config: config(AFTER, { noise }), policy, ...parts })).rejects.toThrow(
      'its noise runs over many rounds',
    );
  });
});

async function momentsOf({ store, blobs }: ReturnType<typeof durable>) {
  const named = (await store.readJournal('films')).findLast((entry) => 'strategyHash' in entry);
  const hash = named !== undefined && 'strategyHash' in named ? named.strategyHash : undefined;
  return decodeStrategyState(await blobs.get(hash ?? ''));
}

async function weightsBefore(
  { store, blobs }: ReturnType<typeof durable>,
  model: Model,
): Promise<Float32Array> {
  const [created] = await store.readJournal('films');
  if (created?.type !== 'task-created') throw new Error('the journal does not begin with the task');
  return decodeCheckpoint(await blobs.get(created.modelHash), model.layout).shared;
}
