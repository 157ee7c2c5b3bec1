import { seededRandom } from '@tutti/base';
import type { AggregatedUpdate } from '@tutti/aggregation';
import { createModel, encodeCheckpoint, initialShared, resolveModelConfig } from '@tutti/model';
import { portableCrypto as crypto } from '@tutti/secure-aggregation/portable';
import { describe, expect, it } from 'vitest';
import { EMPTY_HISTORY, type TaskHistory } from './history.ts';
import { memoryBlobs } from './memory.ts';
import { NewestModel } from './newest-model.ts';

const ITEMS = 12;
const model = createModel(
  resolveModelConfig({ family: 'mf', dimension: 3 }, { items: ITEMS, meanHistory: 5 }),
  ITEMS,
);
const config = { name: 'films', model, strategy: { name: 'fedadam', learningRate: 0.1 } } as const;

function normals(seed: string): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: model.layout.length }, () => random.normal());
}

const updateOf = (seed: string, meanDelta?: Float32Array): AggregatedUpdate => ({
  meanDelta: meanDelta ?? normals(seed),
  totalWeight: 1,
  clippedShare: 0,
  metrics: {},
  survivors: 1,
});

async function openTask() {
  const blobs = memoryBlobs(crypto);
  const shared = initialShared(model, seededRandom('weights'));
  const modelHash = await blobs.put(encodeCheckpoint({ layout: model.layout, shared, metadata: {} }));
  return { blobs, history: { ...EMPTY_HISTORY, modelHash } as TaskHistory };
}

describe('the newest model', () => {
  it('moves on in memory to what it would be if it was read in every round', async () => {
    const { blobs, history } = await openTask();
    const kept = new NewestModel(config, blobs);
    let [a, b] = [history, history];
    for (let round = 0; round < 4; round++) {
      a = { ...a, round, ...(await kept.commit(a, updateOf(`${round}`))) };
      b = { ...b, round, ...(await new NewestModel(config, blobs).commit(b, updateOf(`${round}`))) };
      expect(a).toEqual(b);
    }
  });

  it('begins where the history does, whatever was made that did not count', async () => {
    const { blobs, history } = await openTask();
    const newest = new NewestModel(config, blobs);
    const wanted = await new NewestModel(config, blobs).commit(history, updateOf('1'));
    await newest.commit(history, updateOf('of a round that the journal does not hold'));
    const broken = updateOf('', new Float32Array(model.layout.length).fill(Number.NaN));
    await expect(newest.commit(history, broken)).rejects.toThrow('not finite');
    expect(await newest.commit(history, updateOf('1'))).toEqual(wanted);
  });

  it('says which model is gone', async () => {
    const { blobs, history } = await openTask();
    await blobs.delete(history.modelHash ?? '');
    await expect(new NewestModel(config, blobs).commit(history, updateOf('1'))).rejects.toThrow(
      history.modelHash,
    );
  });
});
