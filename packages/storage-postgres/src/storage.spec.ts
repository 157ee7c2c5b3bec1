import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { StorageLockedError, StorageUnavailableError } from '@tutti/coordination';
import { storageContract } from '@tutti/coordination/testing';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresStorage, postgresPlace } from './index.ts';
import { startTestServer, type TestServer } from './testing.ts';

const QUICK = { lockWaitMs: 200, unavailableMs: 15_000 };

let started: TestServer | string = 'needs postgresql: it was not started';
beforeAll(async () => void (started = await startTestServer()));
afterAll(async () => {
  if (typeof started !== 'string') await started.destroy();
});

/** The server; skips where there is none. */
function server(skip: (reason?: string) => never): TestServer {
  if (typeof started === 'string') return skip(started);
  return started;
}

const entry = (atMs: number) =>
  ({
    v: 1,
    type: 'task-created',
    atMs,
    layoutHash: 'a'.repeat(64),
    catalogueHash: 'b'.repeat(64),
    modelHash: 'c'.repeat(64),
  }) as const;

describe('the storage on PostgreSQL', () => {
  storageContract(async (skip) => {
    const url = await server(skip).newDatabase();
    return {
      place: postgresPlace(url, nodeCrypto, QUICK),
      module: `
        import { postgresPlace } from '@tutti/storage-postgres';
        import { nodeCrypto } from '@tutti/secure-aggregation/node';
        const place = postgresPlace(${JSON.stringify(url)}, nodeCrypto);`,
      destroy: async () => undefined,
    };
  });

  it('says who has it open, and keeps storages in schemas apart', async (ctx) => {
    const url = await server(ctx.skip).newDatabase();
    const first = await openPostgresStorage(url, nodeCrypto, QUICK);
    const second = openPostgresStorage(url, nodeCrypto, QUICK);
    await expect(second).rejects.toThrow(StorageLockedError);
    await expect(second).rejects.toThrow(`in use by process ${process.pid} on `);
    const other = await openPostgresStorage(`${url}&schema=other`, nodeCrypto, QUICK);
    await first.store.put('key', Uint8Array.of(1));
    expect(await other.store.get('key')).toBeUndefined();
    await Promise.all([first.close(), other.close()]);
  });

  it('goes on when the server is restarted or crashes under load: nothing is lost, nothing is there twice', async (ctx) => {
    const postgres = server(ctx.skip);
    const { store, blobs, close } = await openPostgresStorage(
      await postgres.newDatabase(),
      nodeCrypto,
      QUICK,
    );
    let written = 0;
    let stop = false;
    const writing = (async () => {
      for (; !stop; written++) {
        await store.appendJournal('films', written, [entry(written)]);
        await blobs.put(new Uint8Array(200_000).fill(written));
      }
    })();
    for (const how of ['fast', 'crash'] as const) {
      const before = written;
      await until(() => written > before + 3);
      await postgres.stop(how);
      await postgres.start();
    }
    const before = written;
    await until(() => written > before + 3);
    stop = true;
    await writing;
    const journal = await store.readJournal('films');
    expect(journal).toEqual(Array.from({ length: written }, (_, i) => entry(i)));
    await close();
  });

  it('gives up by name when the server stays away, and says what to do', async (ctx) => {
    const postgres = server(ctx.skip);
    const url = await postgres.newDatabase();
    const { store, close } = await openPostgresStorage(url, nodeCrypto, { ...QUICK, unavailableMs: 300 });
    await postgres.stop();
    try {
      const append = store.appendJournal('films', 0, [entry(1)]);
      await expect(append).rejects.toThrow(StorageUnavailableError);
      await expect(append).rejects.toThrow(
        /did not answer for \d s \(\w+\); see that it runs and can be reached/,
      );
      await close();
      const opened = openPostgresStorage(url, nodeCrypto, { ...QUICK, unavailableMs: 300 });
      await expect(opened).rejects.toThrow(StorageUnavailableError);
    } finally {
      await postgres.start();
    }
  });

  it('says by name that a backup ended because the server did', async (ctx) => {
    const postgres = server(ctx.skip);
    const url = await postgres.newDatabase();
    const { store, close } = await openPostgresStorage(url, nodeCrypto, QUICK);
    await store.appendJournal(
      'films',
      0,
      Array.from({ length: 1_200 }, (_, i) => entry(i)),
    );
    const snapshot = await postgresPlace(url, nodeCrypto, QUICK).snapshot();
    const read = async (): Promise<void> => {
      let items = 0;
      for await (const _ of snapshot.items())
        if (++items === 10) {
          await postgres.stop();
          await postgres.start();
        }
    };
    await expect(read()).rejects.toThrow(StorageUnavailableError);
    await snapshot.close();
    await close();
  });

  it('gets the lock back when its connection breaks and nobody else took it', async (ctx) => {
    const postgres = server(ctx.skip);
    const url = await postgres.newDatabase();
    const { store, close } = await openPostgresStorage(url, nodeCrypto, QUICK);
    await store.appendJournal('films', 0, [entry(0)]);
    await postgres.query(url, CUT);
    await store.appendJournal('films', 1, [entry(1)]);
    await new Promise((resolve) => setTimeout(resolve, 700));
    await expect(openPostgresStorage(url, nodeCrypto, QUICK)).rejects.toThrow(StorageLockedError);
    expect(await store.readJournal('films')).toEqual([entry(0), entry(1)]);
    await close();
  });

  it('does not let a paused owner write once another one took over', async (ctx) => {
    const postgres = server(ctx.skip);
    const url = await postgres.newDatabase();
    const paused = await openElsewhere(url);
    paused.kill('SIGSTOP');
    // A server that does not hear from a machine gives its connections up, and with them the lock.
    await postgres.query(url, CUT);
    const { store, close } = await openPostgresStorage(url, nodeCrypto, { ...QUICK, lockWaitMs: 5_000 });
    await store.appendJournal('films', 0, [entry(7)]);
    paused.stdin.write('go on');
    paused.kill('SIGCONT');
    expect(await lineOf(paused, 'refused')).toMatch(
      /StorageTakenOverError .* was taken over by process \d+ on /,
    );
    expect(await store.readJournal('films')).toEqual([entry(7)]);
    await store.appendJournal('films', 1, [entry(8)]);
    await close();
  });
});

/** Ends every connection that holds a lock. */
const CUT = `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
  and database = (select oid from pg_database where datname = current_database())`;

/** A process that has the storage open, and writes to it when it hears something. */
async function openElsewhere(url: string): Promise<ChildProcessByStdio<Writable, Readable, null>> {
  const script = `
    const { openPostgresStorage } = await import('@tutti/storage-postgres');
    const { nodeCrypto } = await import('@tutti/secure-aggregation/node');
    const { store } = await openPostgresStorage(${JSON.stringify(url)}, nodeCrypto);
    console.log('opened');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    await store.put('key', new Uint8Array(1)).catch((error) => console.log('refused ' + error.name + ' ' + error.message));
    process.exit();`;
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('@tutti/base/source'), '--input-type=module', '-e', script],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  await lineOf(child, 'opened');
  return child;
}

/** The first line from here on that begins so; the empty one where the process ends without it. */
function lineOf(child: ChildProcessByStdio<Writable, Readable, null>, beginning: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const look = (chunk: Buffer): void => {
      text += chunk.toString();
      const line = text.split('\n').find((one) => one.startsWith(beginning));
      if (line === undefined) return;
      child.stdout.removeListener('data', look);
      resolve(line);
    };
    child.stdout.on('data', look);
    child.once('exit', () => resolve(''));
  });
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error('it does not get on');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
