import { StorageNewerError } from '@tutti/coordination';
import { Migrator, sql, type Kysely, type Migration } from 'kysely';
import type { Tables } from './tables.ts';

/**
 * How the schema came to be what it is. Migrations only go up; one that was ever released is never changed. All that are missing run
 * in one transaction, under Kysely's lock, so that two that start at once do not both do it.
 */
const migrations = (schema: string): Record<string, Migration> => ({
  '0001-journal-values-blobs': { up: (db) => createTables(db, schema) },
  '0002-leases': { up: createLeases },
  '0003-leases-of-tasks': { up: addBeats },
});

/** The layout that this version writes. */
export const LAYOUT = Object.keys(migrations('')).length;

const TABLES = { migrationTableName: 'migrations', migrationLockTableName: 'migrations_lock' };

async function createTables(db: Kysely<unknown>, schema: string): Promise<void> {
  await db.schema
    .createTable('journal')
    .addColumn('task', 'text', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('entry', 'json', (column) => column.notNull())
    .addPrimaryKeyConstraint('journal_pkey', ['task', 'position'])
    .execute();
  await db.schema
    .createTable('small_values')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('content', 'bytea', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('blobs')
    .addColumn('hash', 'text', (column) => column.primaryKey())
    .addColumn('bytes', 'integer', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('blob_parts')
    .addColumn('hash', 'text', (column) => column.notNull().references('blobs.hash').onDelete('cascade'))
    .addColumn('part', 'integer', (column) => column.notNull())
    .addColumn('content', 'bytea', (column) => column.notNull())
    .addPrimaryKeyConstraint('blob_parts_pkey', ['hash', 'part'])
    .execute();
  // Weights do not get smaller by compression: no time is spent on trying.
  await sql`alter table ${sql.table(`${schema}.blob_parts`)} alter column content set storage external`.execute(
    db,
  );
}

async function createLeases(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('leases')
    .addColumn('scope', 'text', (column) => column.primaryKey())
    .addColumn('epoch', 'integer', (column) => column.notNull())
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('taken_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .execute();
}

async function addBeats(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('leases')
    .addColumn('beats', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
}

/**
 * The layout that a schema has; 0 where there is none. Only reads.
 * @throws {StorageNewerError} if it is a newer one.
 */
export async function layoutOf(db: Kysely<Tables>, schema: string, place: string): Promise<number> {
  const table = `${schema}.${TABLES.migrationTableName}`;
  const { rows } = await sql<{ there: boolean }>`select to_regclass(${table}) is not null as there`.execute(
    db,
  );
  if (rows[0]?.there !== true) return 0;
  const done = await sql<{ name: string }>`select name from ${sql.table(table)} order by name`.execute(db);
  const layouts = done.rows.map(({ name }) => Number.parseInt(name, 10));
  const layout = Math.max(0, ...layouts);
  if (layout > LAYOUT) throw new StorageNewerError(place, layout, LAYOUT);
  return layout;
}

/** Brings a schema up to date, making it where it is missing. @throws {StorageNewerError} if it is a newer one; unchanged then. */
export async function migrate(db: Kysely<Tables>, schema: string, place: string): Promise<void> {
  if ((await layoutOf(db, schema, place)) === LAYOUT) return;
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrations(schema) },
    migrationTableSchema: schema,
    ...TABLES,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error instanceof Error ? error : new Error(JSON.stringify(error));
}
