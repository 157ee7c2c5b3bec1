import { describe, expect, it } from 'vitest';
import type { Upload } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { manualClock, memoryGroupSums, memoryPlace } from './index.ts';
import { storageContract } from './testing.ts';

describe('the storage in memory', () => {
  storageContract(async () => ({ place: memoryPlace(nodeCrypto), destroy: async () => undefined }));
});

it('running sums add, are taken once, and can be given up', async () => {
  const sums = memoryGroupSums();
  const key = { attempt: 1, group: 0 };
  sums.open(key, 2);
  const uploadOf = (...bytes: number[]): Upload => ({
    ...{ words: 2, wordBits: 32 },
    frames: [Uint8Array.from(bytes)],
  });
  sums.add(key, uploadOf(1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff));
  sums.add(key, uploadOf(2, 0, 0, 0, 2, 0, 0, 0));
  expect(await sums.take(key, [])).toEqual(Uint32Array.of(3, 1));
  await expect(sums.take(key, [])).rejects.toThrow('no running sum');
  sums.discard(key);
});

it('a manual clock calls back in order, and not what was cancelled', () => {
  const clock = manualClock();
  const calls: string[] = [];
  clock.after(20, () => calls.push('late'));
  clock.after(10, () => calls.push('early'));
  clock.after(15, () => calls.push('never'))();
  clock.advance(19);
  expect(calls).toEqual(['early']);
  expect(clock.advanceToNext()).toBe(true);
  expect([calls, clock.now(), clock.advanceToNext()]).toEqual([['early', 'late'], 20, false]);
});
