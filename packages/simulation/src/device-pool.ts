import type { ThreadAnswers, ThreadRequest } from './thread.ts';

/** Fetches a blob (a checkpoint) by its content address. */
export type FetchBlob = (hash: string) => Promise<Uint8Array | undefined>;

/** Where simulated devices live, with their stores and their vectors: user u on thread u mod n, here or on another host. */
export interface DevicePool {
  readonly size: number;
  readonly backend: string;
  readonly notes: readonly string[];
  ask<Kind extends ThreadRequest['kind']>(
    thread: number,
    request: Extract<ThreadRequest, { kind: Kind }>,
  ): Promise<ThreadAnswers[Kind]>;
  /**
   * A draw is about to begin, and no message of an earlier one is on its way: what the devices stored is kept here from now on, so that
   * only what they are told from now on is told again to threads that take the place of lost ones. Absent where none can be lost.
   */
  keep?(): Promise<void>;
  close(): Promise<void>;
}
