import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@tutti/base';
import { storeContract } from '@tutti/coordination/testing';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { openLmdbStorage, StorageLockedError } from './index.ts';

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'tutti-lmdb-'));

describe('the store on LMDB', () => {
  storeContract(async () => {
    const folder = newFolder();
    let storage = await openLmdbStorage(folder, nodeCrypto);
    return {
      store: storage.store,
      blobs: storage.blobs,
      async reopen() {
        await storage.close();
        storage = await openLmdbStorage(folder, nodeCrypto);
        return storage;
      },
      async destroy() {
        await storage.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  });

  it('belongs to one process at a time; the lock of one that is gone is taken over', async () => {
    const folder = newFolder();
    const storage = await openLmdbStorage(folder, nodeCrypto);
    await expect(openLmdbStorage(folder, nodeCrypto)).rejects.toThrow(StorageLockedError);
    await expect(openLmdbStorage(folder, nodeCrypto)).rejects.toThrow(`in use by process ${process.pid}`);
    await storage.close();
    // The second is what a killed coordinator leaves in a container: the next one has the same number.
    for (const pid of [999_999_999, process.pid]) {
      writeFileSync(join(folder, 'pid'), String(pid));
      await (await openLmdbStorage(folder, nodeCrypto)).close();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it('keeps every acknowledged entry of a process that is killed while it writes, ten times over', async () => {
    const folder = newFolder();
    const random = seededRandom('kills');
    let acknowledged = 0;
    for (let kill = 0; kill < 10; kill++) {
      const told = await writeAndKill(folder, 20 + random.int(150));
      acknowledged = Math.max(acknowledged, told);
      const storage = await openLmdbStorage(folder, nodeCrypto);
      const journal = await storage.store.readJournal('films');
      expect(journal.length).toBeGreaterThanOrEqual(acknowledged);
      expect(journal.map((entry) => (entry.type === 'task-created' ? entry.atMs : -1))).toEqual(
        journal.map((_, i) => i),
      );
      await storage.close();
    }
    expect(acknowledged).toBeGreaterThan(20);
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);
});

/** Starts a process that appends and acknowledges, lets it run, and kills it. @returns the last acknowledged length. */
async function writeAndKill(folder: string, afterMs: number): Promise<number> {
  const source = import.meta.resolve('@tutti/base/source');
  const script = `
    const { openLmdbStorage } = await import('@tutti/storage-lmdb');
    const { nodeCrypto } = await import('@tutti/secure-aggregation/node');
    const { store } = await openLmdbStorage(${JSON.stringify(folder)}, nodeCrypto);
    let length = (await store.readJournal('films')).length;
    console.log('ready');
    for (;;) {
      await store.appendJournal('films', length, [{ v: 1, type: 'task-created', atMs: length, layoutHash: 'a'.repeat(64), catalogueHash: 'b'.repeat(64), modelHash: 'c'.repeat(64) }]);
      console.log(++length);
    }`;
  const child = spawn(process.execPath, ['--import', source, '--input-type=module', '-e', script], {
    cwd: new URL('..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('ready')) resolve();
    });
    child.on('exit', () => resolve());
  });
  await ready;
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  return Number(
    output
      .trim()
      .split('\n')
      .filter((line) => /^\d+$/.test(line))
      .at(-1) ?? 0,
  );
}
