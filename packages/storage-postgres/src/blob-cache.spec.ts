import { expect, it } from 'vitest';
import { blobCache } from './blob-cache.ts';

it('reads a blob once for all who ask, keeps the last ones, and forgets what was deleted', async () => {
  const reads: string[] = [];
  const cache = blobCache(async (hash) => {
    reads.push(hash);
    await Promise.resolve();
    return hash === 'gone' ? undefined : new Uint8Array(4);
  }, 10);
  await Promise.all(['a', 'a', 'a'].map(cache.get));
  await cache.get('b');
  await cache.get('a');
  expect(reads).toEqual(['a', 'b']);
  await cache.get('c'); // 12 bytes: b was asked for least lately
  await cache.get('a');
  expect(reads).toEqual(['a', 'b', 'c']);
  await cache.get('b');
  expect(reads).toEqual(['a', 'b', 'c', 'b']);
  cache.drop('b');
  await cache.get('b');
  expect(reads.at(-1)).toBe('b');
  expect(reads).toHaveLength(5);
  expect([await cache.get('gone'), await cache.get('gone')]).toEqual([undefined, undefined]);
  expect(reads).toHaveLength(7);
});

it('does not keep what was deleted while it was read', async () => {
  let isThere = true;
  let answer: () => void = () => undefined;
  const cache = blobCache(async () => {
    const found = isThere ? new Uint8Array(1) : undefined;
    await new Promise<void>((resolve) => (answer = resolve));
    return found;
  });
  const first = cache.get('a');
  isThere = false;
  cache.drop('a');
  answer();
  expect(await first).toHaveLength(1);
  const second = cache.get('a');
  answer();
  expect(await second).toBeUndefined();
});
