import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCli } from '@tutti/cli';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import type { StorageItem, StoragePlace } from '@tutti/coordination';
import { lmdbPlace } from '@tutti/storage-lmdb';
import { postgresPlace } from '@tutti/storage-postgres';
import { startTestServer, type TestServer } from '@tutti/storage-postgres/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

/** `tutti backup`, `restore` and `migrate`, beside a coordinator that runs in a process of its own. */

const folder = mkdtempSync(join(tmpdir(), 'tutti-storage-'));
const at = (name: string): string => join(folder, name);
const bin = fileURLToPath(import.meta.resolve('@tutti/cli/package.json')).replace(
  /package\.json$/,
  'bin/tutti.js',
);

/** Says on stderr which modules of PostgreSQL are asked for. */
const WATCH = `data:text/javascript,${encodeURIComponent(
  `import { register } from 'node:module';
   register('data:text/javascript,' + encodeURIComponent(\`
     import { writeSync } from 'node:fs';
     export const resolve = (name, context, next) => {
       if (/^(pg|kysely|@tutti\\\\/storage-postgres)/.test(name)) writeSync(2, 'LOADS ' + name + '\\\\n');
       return next(name, context);
     };\`));`,
)}`;

const children: ChildProcess[] = [];
let started: TestServer | string = 'needs postgresql: it was not started';
beforeAll(async () => void (started = await startTestServer()));
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  if (typeof started !== 'string') await started.destroy();
  rmSync(folder, { recursive: true, force: true });
});

/** The server; skips where there is none. */
function server(skip: (reason?: string) => never): TestServer {
  if (typeof started === 'string') return skip(started);
  return started;
}

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  said(): string;
}

/** Starts a coordinator on a store that TUTTI_STORE names. */
async function coordinator(store: string): Promise<Running> {
  writeFileSync(at('catalogue.csv'), 'id,title\na,A\nb,B\n');
  const child = spawn(
    process.execPath,
    ['--import', WATCH, bin, 'coordinator', '--catalogue', at('catalogue.csv'), '--port', '0'],
    { cwd: folder, env: { ...process.env, TUTTI_STORE: store }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  children.push(child);
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /coordinator at (http:\S+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on('exit', () => reject(new Error(`the coordinator ended: ${said}`)));
  });
  return { child, url, said: () => said };
}

async function kill({ child }: Running): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs a command in this process, and takes its handlers of signals away again. */
async function tutti(...args: string[]): Promise<{ code: number; output: string; errors: string }> {
  const said = { output: '', errors: '' };
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said.output += String(text);
    return true;
  });
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said.errors += String(text);
    return true;
  });
  const before = new Set(SIGNALS.flatMap((signal) => process.listeners(signal)));
  try {
    process.exitCode = undefined;
    return { code: await runCli(args), ...said };
  } finally {
    process.exitCode = undefined;
    for (const signal of SIGNALS)
      for (const listener of process.listeners(signal))
        if (!before.has(listener)) process.removeListener(signal, listener);
    out.mockRestore();
    err.mockRestore();
  }
}

/** What the doctor says of a coordinator that keeps everything there. */
async function doctorOf(store: string): Promise<string> {
  const task = { name: 'films', catalogue: { ids: ['a', 'b'] }, model: { family: 'mf' } };
  writeFileSync(at('doctor.json'), JSON.stringify({ store, tasks: [task] }));
  return (await tutti('doctor', '--config', at('doctor.json'))).output;
}

async function itemsIn(place: StoragePlace): Promise<string[]> {
  const snapshot = await place.snapshot();
  const items: string[] = [];
  const textOf = (item: StorageItem): string =>
    JSON.stringify(
      item.kind === 'entry' ? item : { ...item, bytes: Buffer.from(item.bytes).toString('hex') },
    );
  for await (const item of snapshot.items()) items.push(textOf(item));
  await snapshot.close();
  return items.sort();
}

describe('a coordinator’s storage', { timeout: 120_000 }, () => {
  it('is backed up while it runs, restored, and carried from one kind of store to the other and back', async (ctx) => {
    const postgres = server(ctx.skip);
    const [restored, migrated] = [await postgres.newDatabase(), await postgres.newDatabase()];
    const lmdb = `lmdb:${at('lmdb')}`;
    const first = await coordinator(lmdb);
    const { publicKey } = (await (await fetch(`${first.url}/v1/tasks/films`)).json()) as {
      publicKey: string;
    };

    const backup = await tutti('backup', at('a.backup'), '--store', lmdb, '--json');
    expect([backup.code, backup.errors]).toEqual([0, expect.stringContaining('backing up')]);
    const { items } = JSON.parse(backup.output) as { items: number };
    expect(items).toBeGreaterThanOrEqual(4); // an entry, a key, a catalogue, a model
    expect(statSync(at('a.backup')).mode & 0o777).toBe(0o600);
    expect((await tutti('backup', at('a.backup'), '--store', lmdb)).errors).toContain(
      'nothing is overwritten',
    );

    // Its coordinator still writes there.
    const early = await tutti('migrate', '--from', lmdb, '--to', migrated);
    expect([early.code, early.errors]).toEqual([1, expect.stringContaining('in use by process')]);
    await kill(first);
    // One machine needs no database, and hears of none.
    expect(first.said()).not.toMatch(/LOADS|postgres/i);

    expect((await tutti('migrate', '--from', lmdb, '--to', migrated)).output).toContain('checked');
    expect((await tutti('restore', at('a.backup'), '--store', restored)).output).toContain(`${items} items`);
    expect((await tutti('migrate', '--from', migrated, '--to', `lmdb:${at('back')}`)).code).toBe(0);
    const original = await itemsIn(lmdbPlace(at('lmdb'), nodeCrypto));
    expect(await itemsIn(postgresPlace(migrated, nodeCrypto))).toEqual(original);
    expect(await itemsIn(postgresPlace(restored, nodeCrypto))).toEqual(original);
    expect(await itemsIn(lmdbPlace(at('back'), nodeCrypto))).toEqual(original);

    for (const again of [
      await tutti('restore', at('a.backup'), '--store', restored),
      await tutti('restore', at('a.backup'), '--store', lmdb),
      await tutti('migrate', '--from', lmdb, '--to', migrated),
    ])
      expect([again.code, again.errors]).toEqual([2, expect.stringContaining('is not empty')]);

    const second = await coordinator(migrated.replace('tutti@', 'tutti:s3cret@'));
    const task = (await (await fetch(`${second.url}/v1/tasks/films`)).json()) as { publicKey: string };
    expect(task.publicKey).toEqual(publicKey);
    expect(second.said()).toContain('everything kept in PostgreSQL at');
    expect(second.said()).toContain('LOADS @tutti/storage-postgres');
    expect(second.said()).not.toContain('s3cret');
    const online = await tutti('backup', at('b.backup'), '--store', migrated);
    expect([online.code, online.output]).toEqual([0, expect.stringContaining('checked')]);
    await kill(second);
  });

  it('is not restored from what was changed or cut off, and nothing is left of the try', async (ctx) => {
    const place = lmdbPlace(at('source'), nodeCrypto);
    const { store, close } = await place.open();
    await store.put('coordinator-key', new Uint8Array(100_000).fill(7));
    await close();
    expect((await tutti('backup', at('c.backup'), '--store', `lmdb:${at('source')}`)).code).toBe(0);
    const bytes = readFileSync(at('c.backup'));
    const url = await server(ctx.skip).newDatabase();
    expect(await doctorOf(url)).toContain(`nothing is in ${postgresPlace(url, nodeCrypto).name} yet`);
    for (const damaged of [bytes.subarray(0, -10), Buffer.from(bytes).fill(9, 50_000, 50_001)]) {
      writeFileSync(at('d.backup'), damaged);
      for (const to of [`lmdb:${at('target')}`, url]) {
        const { code, errors } = await tutti('restore', at('d.backup'), '--store', to);
        expect([code, errors]).toEqual([2, expect.stringContaining('nothing was restored from it')]);
      }
    }
    expect(existsSync(at('target'))).toBe(false);
    expect(await itemsIn(postgresPlace(url, nodeCrypto))).toEqual([]);
    expect((await tutti('restore', at('c.backup'), '--store', url)).code).toBe(0);
    expect((await tutti('backup', at('e.backup'), '--store', `lmdb:${at('nowhere')}`)).errors).toContain(
      'there is no storage in',
    );
    expect((await tutti('restore', at('nothing'), '--store', url)).errors).toContain('There is no file');
    expect((await tutti('backup', at('f.backup'), '--store', 'mysql://u:s3cret@db')).errors).not.toContain(
      's3cret',
    );
    expect(readdirSync(folder).filter((name) => name.includes('unfinished'))).toEqual([]);
  });
});
