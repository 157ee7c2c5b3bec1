import { concatBytes, seededRandom } from '@tutti/base';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { BackupError, blobHash, encodeBackup, openBackup, type StorageItem } from './index.ts';

const BLOB = Uint8Array.from({ length: 300 }, (_, i) => i);
const ITEMS: readonly StorageItem[] = [
  {
    kind: 'entry',
    task: 'films',
    position: 0,
    entry: {
      v: 1,
      type: 'task-created',
      atMs: 0.1 + 0.2,
      layoutHash: 'a'.repeat(64),
      catalogueHash: 'b'.repeat(64),
      modelHash: 'c'.repeat(64),
    },
  },
  { kind: 'value', key: 'coordinator-key', bytes: Uint8Array.of(1, 2, 3) },
  { kind: 'value', key: 'nichts', bytes: new Uint8Array(0) },
  { kind: 'blob', hash: blobHash(BLOB, nodeCrypto), bytes: BLOB },
];

async function* streamOf<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

async function whole(items: readonly StorageItem[] = ITEMS): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeBackup(streamOf(items), items.length, nodeCrypto)) chunks.push(chunk);
  return concatBytes(...chunks);
}

async function read(bytes: Uint8Array, chunkBytes = 64): Promise<StorageItem[]> {
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, i) =>
    bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes),
  );
  const backup = await openBackup(streamOf(chunks), nodeCrypto);
  const items: StorageItem[] = [];
  for await (const item of backup.items()) items.push(item);
  expect(backup.count).toBe(items.length);
  return items;
}

describe('a backup', () => {
  it.each([1, 7, 64, 1e6])('comes back as it was, in chunks of %i bytes', async (chunkBytes) => {
    expect(await read(await whole(), chunkBytes)).toEqual(ITEMS);
    expect(await read(await whole([]), chunkBytes)).toEqual([]);
  });

  it('is refused when a bit of it is another', async () => {
    const bytes = await whole();
    const random = seededRandom('bits');
    for (let times = 0; times < 200; times++) {
      const changed = bytes.slice();
      const at = random.int(bytes.length);
      changed[at] = (changed[at] ?? 0) ^ (1 << random.int(8));
      await expect(read(changed), `byte ${at}`).rejects.toThrow(BackupError);
    }
  });

  it('is refused when it is cut off anywhere, or goes on', async () => {
    const bytes = await whole();
    for (let length = 0; length < bytes.length; length += 13)
      await expect(read(bytes.subarray(0, length))).rejects.toThrow('is cut off');
    await expect(read(bytes.subarray(0, -1))).rejects.toThrow('is cut off');
    await expect(read(concatBytes(bytes, Uint8Array.of(0)))).rejects.toThrow('goes on behind its end');
  });

  it('is refused when records are missing or in another order', async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of encodeBackup(streamOf(ITEMS), ITEMS.length, nodeCrypto)) chunks.push(chunk);
    const without = chunks.filter((_, i) => i !== 3);
    await expect(read(concatBytes(...without))).rejects.toThrow('its checksum does not fit');
    const [a, b, c, d, ...rest] = chunks as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    await expect(read(concatBytes(a, b, d, c, ...rest))).rejects.toThrow('its checksum does not fit');
  });
});
