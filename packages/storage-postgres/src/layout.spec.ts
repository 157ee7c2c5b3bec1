import { createHash } from 'node:crypto';
import { UsageError } from '@tutti/base';
import {
  StorageMissingError,
  StorageNewerError,
  StorageRefusedError,
  type StorageItem,
  type StoragePlace,
} from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresStorage, postgresPlace } from './index.ts';
import { startTestServer, type TestServer } from './testing.ts';

const QUICK = { lockWaitMs: 200, unavailableMs: 5_000 };

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

const ENTRY = {
  v: 1,
  type: 'task-created',
  atMs: 1,
  layoutHash: 'a'.repeat(64),
  catalogueHash: 'b'.repeat(64),
  modelHash: 'c'.repeat(64),
};

/** A database as the first migration left it. Written out, so that a change to that migration does not change it too. */
const LAYOUT_1 = `
  create schema tutti;
  create table tutti.migrations (name varchar(255) primary key, timestamp varchar(255) not null);
  create table tutti.migrations_lock (id varchar(255) primary key, is_locked integer not null default 0);
  insert into tutti.migrations_lock values ('migration_lock', 0);
  insert into tutti.migrations values ('0001-journal-values-blobs', '2026-11-26T00:00:00.000Z');
  create table tutti.journal (task text not null, position integer not null, entry json not null, primary key (task, position));
  create table tutti.small_values (key text primary key, content bytea not null);
  create table tutti.blobs (hash text primary key, bytes integer not null);
  create table tutti.blob_parts (hash text not null references tutti.blobs on delete cascade, part integer not null, content bytea not null, primary key (hash, part));
  insert into tutti.journal values ('films', 0, '${JSON.stringify(ENTRY)}');
  insert into tutti.small_values values ('coordinator-key', '\\x010203');
  insert into tutti.blobs values ('${'d'.repeat(64)}', 1);
  insert into tutti.blob_parts values ('${'d'.repeat(64)}', 0, '\\x04');`;

/** A newer Tutti was here. */
const LAYOUT_9 = `${LAYOUT_1}
  insert into tutti.migrations values ('0009-something-new', '2030-01-01T00:00:00.000Z');`;

/** Everything in the schema, as a fingerprint: names, columns and rows. */
async function fingerprint(postgres: TestServer, url: string): Promise<string> {
  const tables = await postgres.query(
    url,
    `select table_name, string_agg(column_name || ' ' || data_type, ',' order by ordinal_position) as columns
     from information_schema.columns where table_schema = 'tutti' group by table_name order by table_name`,
  );
  const hash = createHash('sha256').update(JSON.stringify(tables));
  for (const { table_name: table } of tables)
    hash.update(JSON.stringify(await postgres.query(url, `select xmin, * from tutti.${String(table)}`)));
  return hash.digest('hex');
}

async function itemsIn(place: StoragePlace): Promise<StorageItem[]> {
  const snapshot = await place.snapshot();
  const items: StorageItem[] = [];
  for await (const item of snapshot.items()) items.push(item);
  await snapshot.close();
  return items;
}

describe('layouts in PostgreSQL', () => {
  it('reads the one before without changing it, and opens it', async (ctx) => {
    const postgres = server(ctx.skip);
    const url = await postgres.newDatabase();
    await postgres.query(url, LAYOUT_1);
    const before = await fingerprint(postgres, url);
    const place = postgresPlace(url, nodeCrypto, QUICK);
    const items = await itemsIn(place);
    expect(items.map(({ kind }) => kind)).toEqual(['entry', 'value', 'blob']);
    expect(await fingerprint(postgres, url)).toBe(before);
    for (let times = 0; times < 2; times++) {
      const { store, blobs, close } = await place.open();
      expect(await store.readJournal('films')).toEqual([ENTRY]);
      expect(await store.get('coordinator-key')).toEqual(Uint8Array.of(1, 2, 3));
      expect(await blobs.get('d'.repeat(64))).toEqual(Uint8Array.of(4));
      await close();
    }
    expect(await itemsIn(place)).toEqual(items);
    expect(await fingerprint(postgres, url)).not.toBe(before);
  });

  it('refuses a newer one, untouched', async (ctx) => {
    const postgres = server(ctx.skip);
    const url = await postgres.newDatabase();
    await postgres.query(url, LAYOUT_9);
    const before = await fingerprint(postgres, url);
    const place = postgresPlace(url, nodeCrypto, QUICK);
    await expect(place.open()).rejects.toThrow(StorageNewerError);
    await expect(place.open()).rejects.toThrow('has layout 9, and this Tutti knows up to 3');
    await expect(place.snapshot()).rejects.toThrow(StorageNewerError);
    await expect(place.fill((async function* () {})())).rejects.toThrow(StorageNewerError);
    expect(await fingerprint(postgres, url)).toBe(before);
  });

  it('is made by one of those that start at once, and the others hear who has it', async (ctx) => {
    const url = await server(ctx.skip).newDatabase();
    const opened = await Promise.allSettled([1, 2, 3].map(() => openPostgresStorage(url, nodeCrypto, QUICK)));
    const owners = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(owners).toHaveLength(1);
    await owners[0]?.close();
  });

  it('says what to do where there is nothing, or no way in, without a word of a password', async (ctx) => {
    const postgres = server(ctx.skip);
    const url = await postgres.newDatabase();
    await expect(postgresPlace(url, nodeCrypto, QUICK).snapshot()).rejects.toThrow(StorageMissingError);
    await postgres.query(url, `create role guest login password 'guess'`);
    const wrong = [
      url.replace(/test_\d+/, 'nowhere').replace('tutti@', 'tutti:s3cret@'),
      url.replace('tutti@', 'nobody:s3cret@'),
      url.replace('tutti@', 'guest:s3cret@'),
    ];
    for (const address of wrong) {
      const opened = openPostgresStorage(address, nodeCrypto, QUICK);
      await expect(opened).rejects.toThrow(StorageRefusedError);
      await expect(opened).rejects.toThrow(/; (create the database|see that its pg_hba|grant this user)/);
      await expect(opened).rejects.not.toThrow('s3cret');
    }
    for (const address of ['postgres://', 'postgres://u:s3cret@[/db', `${url}&schema=Robert'`])
      expect(() => postgresPlace(address, nodeCrypto)).toThrow(UsageError);
    expect(postgresPlace('postgres://u:s3cret@db:5433/tutti', nodeCrypto).name).toBe(
      'PostgreSQL at db:5433, database tutti, schema tutti',
    );
  });
});
