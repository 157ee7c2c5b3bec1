import type { Kysely } from 'kysely';
import { PART_BYTES, type Tables } from './tables.ts';

/** Rows of one statement at most: PostgreSQL takes 65,535 parameters, and an entry has three. */
const MOST_ROWS = 1_000;

/** Writes entries of one journal, from `position` on. */
export async function insertEntries(
  db: Kysely<Tables>,
  task: string,
  position: number,
  texts: readonly string[],
): Promise<void> {
  for (let at = 0; at < texts.length; at += MOST_ROWS) {
    const rows = texts
      .slice(at, at + MOST_ROWS)
      .map((entry, i) => ({ task, position: position + at + i, entry }));
    await db.insertInto('journal').values(rows).execute();
  }
}

/** Writes a blob, unless it is there. */
export async function insertBlob(db: Kysely<Tables>, hash: string, content: Buffer): Promise<void> {
  const made = await db
    .insertInto('blobs')
    .values({ hash, bytes: content.length })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (made.numInsertedOrUpdatedRows === 0n) return;
  for (let part = 0; part * PART_BYTES < content.length; part++) {
    const piece = content.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
    await db.insertInto('blob_parts').values({ hash, part, content: piece }).execute();
  }
}

/** A blob, or undefined where there is none. One that is deleted meanwhile is none. */
export async function readBlob(db: Kysely<Tables>, hash: string): Promise<Uint8Array | undefined> {
  const found = await db.selectFrom('blobs').select('bytes').where('hash', '=', hash).executeTakeFirst();
  if (found === undefined) return undefined;
  const bytes = new Uint8Array(found.bytes);
  for (let part = 0; part * PART_BYTES < bytes.length; part++) {
    const piece = await db
      .selectFrom('blob_parts')
      .select('content')
      .where('hash', '=', hash)
      .where('part', '=', part)
      .executeTakeFirst();
    if (piece === undefined) return undefined;
    bytes.set(piece.content, part * PART_BYTES);
  }
  return bytes;
}
