import { keepLocal } from '@tutti/base';
import { memoryBlobs, memoryStore, StaleTaskError, type TaskConfig } from '@tutti/coordination';
import { createModel, recommended, resolveModelConfig } from '@tutti/model';
import type { ClientId } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { ITEMS, openStory, taskConfig, type Story } from './federation.ts';

/** A task that learns through a secure sum how many interactions a person has, before anything is trained. */

const numbersFor = (meanHistory: number): Pick<TaskConfig, 'model' | 'strategy' | 'clippingNorm'> => {
  const facts = { items: ITEMS, meanHistory };
  const config = resolveModelConfig({ family: 'mf', dimension: 4 }, facts);
  return { model: createModel(config, ITEMS), ...recommended(config, facts) };
};

const config = (over: Partial<TaskConfig> = {}): TaskConfig =>
  taskConfig({
    ...numbersFor(50),
    rounds: 2,
    census: (counted) => taskConfig({ ...numbersFor(counted), rounds: 2, ...over }),
    ...over,
  });

const durable = () => ({ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) });

/** Opens a story whose people have one to eight items. */
async function open(parts: ReturnType<typeof durable>, task = config()): Promise<Story> {
  const lengths = new Map<ClientId, number>();
  return openStory({
    ...{ count: 8, config: task, ...parts },
    device: (id) => {
      if (!lengths.has(id)) lengths.set(id, lengths.size + 1);
      const positives = Int32Array.from({ length: lengths.get(id) ?? 0 }, (_, item) => item);
      return { data: async () => ({ positives: keepLocal(positives) }) };
    },
  });
}

const layoutOf = (story: Story): string => story.coordination.taskInfo('films')?.layoutHash ?? '';

/** Devices learn the task anew, as SDKs do that were told another one. */
async function learnAnew(story: Story): Promise<void> {
  for (const client of story.clients) client.device = story.restart(client);
}

describe('a task that counts histories first', () => {
  it('learns their mean through one secure sum, and goes on with the numbers that follow', async () => {
    const parts = durable();
    const story = await open(parts);
    const before = layoutOf(story);
    await story.gather();
    const counted = await story.untilEnd();
    expect(counted).toMatchObject({ type: 'evaluated', record: { reported: 8 } });
    const mean = counted.type === 'evaluated' ? (counted.record.metrics.meanHistory ?? 0) : 0;
    expect(mean).toBeCloseTo(4.5, 1);
    expect(layoutOf(story)).not.toBe(before);
    expect(story.coordination.taskInfo('films')?.model).toEqual({ ...numbersFor(mean).model.config });
    expect(story.coordination.rounds('films')).toEqual([]);

    await learnAnew(story);
    for (let round = 1; round <= 2; round++) {
      await story.gather();
      expect(await story.untilEnd()).toMatchObject({ type: 'committed', record: { round, reported: 8 } });
    }
    expect((await parts.store.readJournal('films')).map(({ type }) => type)).toEqual([
      'task-created',
      'attempt-opened',
      'evaluated',
      'defaults-followed',
      ...['attempt-opened', 'round-committed', 'attempt-opened', 'round-committed'],
    ]);
  });

  it('lets those take part at once who wait while it changes, and those decline who know the numbers of before', async () => {
    const story = await open(durable());
    await story.gather();
    await story.untilEnd();
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'too-few-ready' });
    expect(story.clients.map(({ declined }) => declined)).toEqual(story.clients.map(() => ['wrong-model']));
    await learnAnew(story);
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'committed' });
  });

  it('counts once: a coordinator that comes back goes on with what it found', async () => {
    const parts = durable();
    const first = await open(parts);
    await first.gather();
    await first.untilEnd();
    const layout = layoutOf(first);
    const entries = (await parts.store.readJournal('films')).length;
    const second = await open(parts);
    expect(layoutOf(second)).toBe(layout);
    expect((await parts.store.readJournal('films')).length).toBe(entries);
    await second.gather();
    expect(await second.untilEnd()).toMatchObject({ type: 'committed', record: { round: 1 } });
  });

  it('has models of the numbers that followed, which can be put on channels', async () => {
    const story = await open(durable());
    await story.gather();
    await story.untilEnd();
    await learnAnew(story);
    await story.gather();
    await story.untilEnd();
    const registry = story.coordination.registry('films');
    for (const model of ['0', '1']) await registry?.change({ channel: 'stable', model, by: 'ada' });
    const models = (await registry?.models()) ?? [];
    expect(models.map(({ manifest: { round, kind } }) => [round, kind])).toEqual([
      [1, 'round'],
      [0, 'first'],
      [0, 'first'],
    ]);
    expect(models.slice(0, 2).map(({ manifest }) => manifest.layoutHash)).toEqual(
      [0, 1].map(() => layoutOf(story)),
    );
    expect(models[0]?.channels).toEqual(['stable']);
  });

  it('takes the numbers that follow where it crashed right after the sum', async () => {
    const parts = durable();
    const story = await open(parts);
    await story.gather();
    await story.untilEnd();
    const layout = layoutOf(story);
    const journal = await parts.store.readJournal('films');
    const store = memoryStore();
    await store.appendJournal('films', 0, journal.slice(0, 3));
    expect(layoutOf(await open({ store, blobs: parts.blobs }))).toBe(layout);
    expect((await store.readJournal('films')).at(-1)).toMatchObject({ type: 'defaults-followed' });
  });

  it('counts again where too few were there', async () => {
    const story = await open(durable());
    for (const client of story.clients.slice(0, 6)) client.silentFrom = 'describe';
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'too-few-ready' });
    for (const client of story.clients) delete client.silentFrom;
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'evaluated' });
  });

  it('leaves a task alone that was trained without', async () => {
    const parts = durable();
    const { census: _, ...plain } = config();
    const before = await open(parts, plain);
    await before.gather();
    await before.untilEnd();
    const after = await open(parts);
    expect(layoutOf(after)).toBe(layoutOf(before));
    await after.gather();
    expect(await after.untilEnd()).toMatchObject({ type: 'committed', record: { round: 2 } });
  });

  it('does not change the numbers of what was trained', async () => {
    const parts = durable();
    const { census: _, ...plain } = config();
    const before = await open(parts, plain);
    await before.gather();
    await before.untilEnd();
    await expect(open(parts, { ...plain, ...numbersFor(9), countedHistory: 9 })).rejects.toThrow(
      StaleTaskError,
    );
  });
});
