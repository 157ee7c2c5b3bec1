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
  /**
   * Who may write. `epoch` grows with each new owner, and every write looks at it first. `beats` grows while the owner of a task lives,
   * and is {@link FREE} where it let go.
   */
  leases: {
    scope: string;
    epoch: number;
    holder: string;
    taken_at: ColumnType<Date, never, Date>;
    beats: ColumnType<number, number | undefined, number>;
  };
}

/** Largest piece of a blob, in bytes. */
export const PART_BYTES = 2 ** 22;

/** The lease of the whole storage: of one process, or of all that share it. */
export const WHOLE = 'storage';

/** The lease of a task in a storage that is shared; no task's name has a colon in it. */
export const taskScope = (task: string): string => `task:${task}`;

/** Beats of a lease that nobody holds. */
export const FREE = -1;

/** Who holds the whole storage where several processes share it. */
export const CLUSTER = 'a cluster';
