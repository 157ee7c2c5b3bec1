import { FederatedError } from '@tutti/base';
import type { JournalEntry } from './journal.ts';
import type { Blobs, Store } from './ports.ts';

/** Where a coordinator keeps everything, and how that is copied from one place to another. */

/** A store and its blobs, opened by the one process that may write to them. */
export interface Storage {
  readonly store: Store;
  readonly blobs: Blobs;
  close(): Promise<void>;
}

/** One thing that a storage holds. */
export type StorageItem =
  | {
      readonly kind: 'entry';
      readonly task: string;
      readonly position: number;
      readonly entry: JournalEntry;
    }
  | { readonly kind: 'value'; readonly key: string; readonly bytes: Uint8Array }
  | { readonly kind: 'blob'; readonly hash: string; readonly bytes: Uint8Array };

/** What a storage held at one instant, whatever is written meanwhile. */
export interface StorageSnapshot {
  /** How many items there are. */
  readonly count: number;
  /** Every item once: the entries of a task in order, then values, then blobs. */
  items(): AsyncIterable<StorageItem>;
  close(): Promise<void>;
}

/** A folder, a database: somewhere that a storage can be. */
export interface StoragePlace {
  /** How messages name it; never with a password. */
  readonly name: string;
  /**
   * Opens it for one process, making it where there is nothing, and bringing one of an older layout up to date.
   * @throws {StorageLockedError} if another process has it open.
   * @throws {StorageNewerError} if a newer Tutti wrote it; it is unchanged then.
   */
  open(): Promise<Storage>;
  /**
   * Reads it, also while a coordinator has it open. Nothing is changed, an older layout neither.
   * @throws {StorageNewerError} if a newer Tutti wrote it.
   */
  snapshot(): Promise<StorageSnapshot>;
  /**
   * Puts all items into it, or none: where the items end with an error, that is thrown and nothing stays.
   * @throws {StorageNotEmptyError} if it holds something already.
   * @throws {StorageLockedError} if another process has it open.
   */
  fill(items: AsyncIterable<StorageItem>): Promise<void>;
}

/** Another process has the storage open. */
export class StorageLockedError extends FederatedError {
  override readonly name = 'StorageLockedError';
  readonly code = 'storage/locked';
  readonly fault = 'environment' as const;
  constructor(
    readonly place: string,
    /** Who has it, as far as that is known. */
    readonly holder: string,
  ) {
    super(`${place} is in use by ${holder}; stop it, or use another place`);
  }
}

/** Another process took the storage over: what this one knows may be out of date, and it must not go on. */
export class StorageTakenOverError extends FederatedError {
  override readonly name = 'StorageTakenOverError';
  readonly code = 'storage/taken-over';
  readonly fault = 'environment' as const;
  constructor(
    readonly place: string,
    readonly holder: string,
  ) {
    super(
      `${place} was taken over by ${holder} while this coordinator could not reach it; run one coordinator on it`,
    );
  }
}

/** The storage did not answer in time. What was acknowledged is kept; nothing else is. */
export class StorageUnavailableError extends FederatedError {
  override readonly name = 'StorageUnavailableError';
  readonly code = 'storage/unavailable';
  readonly fault = 'environment' as const;
  constructor(
    readonly place: string,
    readonly reason: string,
    readonly waitedMs: number,
    options?: ErrorOptions,
  ) {
    super(
      `${place} did not answer for ${(waitedMs / 1_000).toFixed(0)} s (${reason}); see that it runs and can be reached, then start again: nothing that was acknowledged is lost`,
      options,
    );
  }
}

/** The storage answered, and does not let us in or do what is needed. */
export class StorageRefusedError extends FederatedError {
  override readonly name = 'StorageRefusedError';
  readonly code = 'storage/refused';
  readonly fault = 'environment' as const;
  constructor(
    readonly place: string,
    readonly reason: string,
    /** What to do. */
    readonly advice: string,
    options?: ErrorOptions,
  ) {
    super(`${place}: ${reason}; ${advice}`, options);
  }
}

/** A newer Tutti wrote the storage. */
export class StorageNewerError extends FederatedError {
  override readonly name = 'StorageNewerError';
  readonly code = 'storage/newer';
  readonly fault = 'environment' as const;
  constructor(
    readonly place: string,
    readonly found: number,
    readonly known: number,
  ) {
    super(
      `${place} has layout ${found}, and this Tutti knows up to ${known}: a newer one wrote it. It is unchanged; use that version, or a backup from before`,
    );
  }
}

/** There is something already where a backup or a copy is to go. */
export class StorageNotEmptyError extends FederatedError {
  override readonly name = 'StorageNotEmptyError';
  readonly code = 'storage/not-empty';
  readonly fault = 'caller' as const;
  constructor(readonly place: string) {
    super(`${place} is not empty, and nothing is overwritten; use an empty place`);
  }
}

/** There is nothing where something is to be read. */
export class StorageMissingError extends FederatedError {
  override readonly name = 'StorageMissingError';
  readonly code = 'storage/missing';
  readonly fault = 'caller' as const;
  constructor(readonly place: string) {
    super(`there is no storage in ${place}`);
  }
}
