import { FederatedError } from '@tutti/base';
import type { Blobs, Store } from './ports.ts';
import type { Storage } from './storage.ts';

/** A storage that several processes share, where each task is run by one of them at a time: by whoever holds its lease. */

/** How a task's lease stood when it was looked at. */
export interface LeaseView {
  readonly task: string;
  /** Grows with each holder. */
  readonly epoch: number;
  /** Changes while the holder lives. Who sees it stand still for long enough, by a clock of their own, may take the lease. */
  readonly beats: number;
  readonly holder: string;
  /** Its holder let go of it. */
  readonly isFree: boolean;
}

/** The right to run a task, until another process takes it. */
export interface TaskLease {
  readonly task: string;
  readonly epoch: number;
  /** Its writes look first, in the same transaction, whether the lease is still held. @throws {LeaseLostError} where it is not. */
  readonly store: Store;
  readonly blobs: Blobs;
  /** Says that the holder lives. @returns false once the lease is another's. */
  renew(): Promise<boolean>;
  /** Lets go: the next one need not wait. */
  release(): Promise<void>;
}

/** A storage opened by one of several processes; what is written beside the leases is for all of them. */
export interface SharedStorage extends Storage {
  /** The leases of all tasks that ever had one. */
  look(): Promise<readonly LeaseView[]>;
  /**
   * Takes a task's lease, if it stands as it was `seen` (undefined: nobody ever had it).
   * @param above its number is greater than this one, too: that of a lease which a database had that lost its last commits.
   * @returns undefined where somebody else was quicker, or its holder lives.
   */
  take(task: string, seen: LeaseView | undefined, above?: number): Promise<TaskLease | undefined>;
  /** A value that all processes share: the one that is there, or that which the first of them makes. */
  shared(key: string, make: () => Uint8Array): Promise<Uint8Array>;
}

/** Another process runs the task now: this one must not go on with it. */
export class LeaseLostError extends FederatedError {
  override readonly name = 'LeaseLostError';
  readonly code = 'storage/lease-lost';
  readonly fault = 'environment' as const;
  constructor(
    readonly task: string,
    readonly holder: string,
  ) {
    super(`task ${task} is run by ${holder} now; this process lets go of it`);
  }
}
