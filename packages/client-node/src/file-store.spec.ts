import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@tutti/base';
import { memoryClientStore, type ClientStore } from '@tutti/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreInUseError } from './errors.ts';
import { fileStore, SealedStoreError } from './file-store.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'tutti-store-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The contract of every device store. */
describe.each<[string, () => Promise<ClientStore>]>([
  ['memory', async () => memoryClientStore()],
  ['a folder', () => fileStore(folder)],
])('a device’s store in %s', (_name, open) => {
  it('keeps values and logs, and forgets them when it is told to', async () => {
    const store = await open();
    const value = utf8('vector');
    await store.set('vector', value);
    value[0] = 0;
    await Promise.all([store.append('likes', utf8('one')), store.append('likes', utf8('two'))]);
    expect(await store.get('vector')).toEqual(utf8('vector'));
    expect(await store.get('nothing')).toBeUndefined();
    expect(await store.readLog('likes')).toEqual([utf8('one'), utf8('two')]);
    await store.set('vector', utf8('new'));
    expect(await store.get('vector')).toEqual(utf8('new'));
    await store.clear();
    if (_name === 'memory') expect(await store.readLog('likes')).toEqual([]);
    else expect(() => readdirSync(folder)).toThrow('ENOENT');
    await store.close();
  });
});

describe('a folder', () => {
  const files = (): string[] => readdirSync(folder).filter((name) => name !== 'key' && name !== 'pid');

  it('is open once at a time, and free again when it is closed, forgotten, or could not be opened', async () => {
    const store = await fileStore(folder);
    await store.append('likes', utf8('one'));
    await expect(fileStore(folder)).rejects.toThrow(StoreInUseError);
    await expect(fileStore(folder)).rejects.toThrow(`in use by process ${process.pid}; close that client`);
    expect(await store.readLog('likes')).toEqual([utf8('one')]);
    await store.close();
    const again = await fileStore(folder);
    await again.clear();
    const anew = await fileStore(folder);
    await again.close(); // leaves the lock of the newer one alone
    await expect(fileStore(folder)).rejects.toThrow(StoreInUseError);
    await anew.close();
    writeFileSync(join(folder, 'key'), 'damaged');
    await expect(fileStore(folder)).rejects.toThrow(SealedStoreError);
    await expect(fileStore(folder)).rejects.toThrow(SealedStoreError);
  });

  it('holds nothing readable, and its key is the owner’s alone', async () => {
    const store = await fileStore(folder);
    await store.set('vector', utf8('SECRET'));
    await store.append('likes', utf8('SECRET'));
    for (const name of files())
      expect(readFileSync(join(folder, name)).toString('latin1')).not.toContain('SECRET');
    expect(statSync(join(folder, 'key')).mode & 0o077).toBe(0);
  });

  it('opens with the same key only', async () => {
    const store = await fileStore(folder, { sealingKey: new Uint8Array(32).fill(1) });
    await store.set('vector', utf8('x'));
    await store.close();
    const other = await fileStore(folder, { sealingKey: new Uint8Array(32).fill(2) });
    await expect(other.get('vector')).rejects.toThrow(SealedStoreError);
    expect(readdirSync(folder)).not.toContain('key');
  });

  it('does not take one value in the place of another', async () => {
    const store = await fileStore(folder);
    await store.set('a', utf8('value of a'));
    await store.set('b', utf8('value of b'));
    const [a, b] = files().sort() as [string, string];
    writeFileSync(join(folder, a), readFileSync(join(folder, b)));
    await expect(store.get('a')).rejects.toThrow('does not open');
  });

  it('drops a torn last record, and goes on behind the whole ones', async () => {
    const store = await fileStore(folder);
    for (const text of ['one', 'two', 'three']) await store.append('likes', utf8(text));
    const path = join(folder, files()[0] as string);
    const { size } = statSync(path);
    for (const cut of [1, 10, 40]) {
      truncateSync(path, size - cut);
      expect(await store.readLog('likes')).toEqual([utf8('one'), utf8('two')]);
    }
    await store.append('likes', utf8('four'));
    expect(await store.readLog('likes')).toEqual([utf8('one'), utf8('two'), utf8('four')]);
  });

  it('refuses a damaged byte anywhere, by name', async () => {
    const store = await fileStore(folder);
    await store.set('vector', utf8('x'.repeat(40)));
    const path = join(folder, files()[0] as string);
    const good = readFileSync(path);
    for (let at = 0; at < good.length; at++) {
      writeFileSync(
        path,
        good.map((byte, i) => (i === at ? byte ^ 1 : byte)),
      );
      await expect(store.get('vector')).rejects.toThrow(SealedStoreError);
    }
  });

  it('refuses a record that is too long, and keeps what is there', async () => {
    const store = await fileStore(folder);
    await store.append('likes', Uint8Array.of(1));
    await expect(store.append('likes', new Uint8Array(17_000_000))).rejects.toThrow('at most');
    await store.append('likes', Uint8Array.of(2));
    expect(await store.readLog('likes')).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
  });

  it('sets aside what it cuts off, so that damage can be looked at', async () => {
    const store = await fileStore(folder);
    await store.append('likes', new Uint8Array(50));
    await store.append('likes', new Uint8Array(60));
    const log = join(folder, readdirSync(folder).find((name) => name.startsWith('log-')) as string);
    const whole = readFileSync(log);
    writeFileSync(log, whole.subarray(0, whole.length - 5));
    await store.close();
    const again = await fileStore(folder);
    await again.append('likes', Uint8Array.of(7));
    expect(await again.readLog('likes')).toHaveLength(2);
    expect(readFileSync(`${log}.torn`).length).toBeGreaterThan(60);
  });

  it('makes a key file the owner’s alone that was open to others, and refuses one that is damaged', async () => {
    await (await fileStore(folder)).close();
    chmodSync(join(folder, 'key'), 0o644);
    await (await fileStore(folder)).close();
    expect(statSync(join(folder, 'key')).mode & 0o777).toBe(0o600);
    writeFileSync(join(folder, 'key'), '');
    await expect(fileStore(folder)).rejects.toThrow(SealedStoreError);
  });

  it('is of no use once closed', async () => {
    const store = await fileStore(folder);
    await store.close();
    await store.close();
    await expect(store.get('x')).rejects.toThrow('is closed');
    await expect(store.append('likes', Uint8Array.of(1))).rejects.toThrow('is closed');
  });
});
