import type { ColumnType } from 'kysely';

/** What is in the schema. */
export interface Tables {
  /** One row an entry; `position` counts from 0 without a gap. */
  journal: {
    task: string;
    position: number;
    /** JSON as it was written, so that every number comes back to the last bit. */
    entry: ColumnType<unknown, string, never>;
  };
  small_values: { key: string; content: Buffer };
  blobs: { hash: string; bytes: number };
  /** Blobs in pieces, so that no statement carries more than {@link PART_BYTES}. */
  blob_parts: { hash: string; part: number; content: Buffer };
  /** Who may write. `epoch` grows with each new owner, and every write looks at it first. */
  leases: { scope: string; epoch: number; holder: string; taken_at: ColumnType<Date, never, Date> };
}

/** Largest piece of a blob, in bytes. */
export const PART_BYTES = 2 ** 22;

/** The lease of the whole storage. A cluster that shares one will have a scope a task. */
export const WHOLE = 'storage';
