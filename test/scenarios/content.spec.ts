import { utf8 } from '@tutti/base';
import { memoryBlobs, memoryStore, type TaskConfig } from '@tutti/coordination';
import { createModel, decodeCheckpoint, resolveModelConfig, type Model } from '@tutti/model';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { openStory, taskConfig, type Story } from './federation.ts';

/** A content model through masks, restarts and a catalogue that grows: the state of what is said of items is kept like any other. */

const D = 4;
const modelOf = (items: number): Model =>
  createModel(
    resolveModelConfig({ family: 'content', dimension: D, buckets: 64 }, { items, meanHistory: 3 }),
    items,
  );
const catalogueOf = (items: number): Uint8Array =>
  utf8(
    JSON.stringify({
      ids: Array.from({ length: items }, (_, item) => `film-${item}`),
      genres: Array.from({ length: items }, (_, item) => [item % 2 === 0 ? 'war' : 'love']),
    }),
  );
const config = (items: number, over: Partial<TaskConfig> = {}): TaskConfig =>
  taskConfig({
    model: modelOf(items),
    catalogue: catalogueOf(items),
    strategy: { name: 'fedadam' },
    rounds: 9,
    ...over,
  });
const durable = () => ({ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) });

async function play(story: Story, rounds: number): Promise<string> {
  for (let round = 0; round < rounds; round++) {
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'committed' });
  }
  return story.coordination.taskInfo('films')?.modelHash ?? '';
}

async function tableOf({ blobs }: Story, hash: string, items: number): Promise<Float32Array> {
  return decodeCheckpoint(await blobs.get(hash), modelOf(items).layout).shared.subarray(0, items * D);
}

describe('a content model', () => {
  it('is the same with and without masks, and over a restart after each round, to the bit', async () => {
    const secure = await play(await openStory({ count: 8, config: config(12) }), 4);
    const plain = await openStory({ count: 8, config: config(12, { protection: 'plain' }) });
    expect(await play(plain, 4)).toBe(secure);
    const parts = durable();
    let last = '';
    for (let round = 0; round < 4; round++)
      last = await play(await openStory({ count: 8, config: config(12), ...parts }), 1);
    // A restart has another selection of the same eight people, and nothing else that is new.
    expect(last).toBe(secure);
  });

  it('goes on over new items, which begin at what is said of them, like others of their genre that nobody touched', async () => {
    const parts = durable();
    const story = await openStory({ count: 8, config: config(12), ...parts });
    const before = await tableOf(story, await play(story, 3), 12);
    const grown = await openStory({ count: 8, config: config(15), ...parts });
    const now = await tableOf(grown, grown.coordination.taskInfo('films')?.modelHash ?? '', 15);
    // Stories move every row: all twelve were touched.
    expect(now.subarray(0, 12 * D)).toEqual(before);
    const row = (item: number): number[] => [...now.subarray(item * D, (item + 1) * D)];
    expect(row(12)).toEqual(row(14));
    expect(row(12)).not.toEqual(row(13));
    await play(grown, 2);
    expect(grown.coordination.rounds('films')).toHaveLength(5);
  });

  it('travels in slices, and stays the same with masks', async () => {
    const sliced = { slice: { rows: 5, head: 2 } };
    const secure = await play(await openStory({ count: 8, config: config(12, sliced) }), 5);
    const plain = await openStory({ count: 8, config: config(12, { ...sliced, protection: 'plain' }) });
    expect(await play(plain, 5)).toBe(secure);
  });
});
