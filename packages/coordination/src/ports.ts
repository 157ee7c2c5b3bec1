import { FederatedError, toHex, type RandomWords } from '@tutti/base';
import type { CoordinatorMessage, Upload } from '@tutti/protocol';
import type { ClientId, CryptoSuite, KeyPair, Unmasker } from '@tutti/secure-aggregation';
import { MissingBlobError } from './errors.ts';
import type { CoordinationEvent } from './events.ts';
import type { JournalEntry } from './journal.ts';

/** What a task's history and a coordinator's few durable values are kept in. */
export interface Store {
  readJournal(task: string): Promise<readonly JournalEntry[]>;
  /**
   * Appends in one durable transaction: when it resolves, the entries survive a crash.
   * @throws {JournalConflictError} when the journal does not hold `expectedLength` entries.
   */
  appendJournal(task: string, expectedLength: number, entries: readonly JournalEntry[]): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, value: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Immutable bytes by content address. */
export interface Blobs {
  get(hash: string): Promise<Uint8Array | undefined>;
  /** Durable before it resolves. */
  put(bytes: Uint8Array): Promise<string>;
  delete(hash: string): Promise<void>;
}

/** Time, passed in. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once after `delayMs`; the result cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Where messages to clients go; a client that is gone is not an error. */
export interface Outbox {
  send(client: ClientId, message: CoordinatorMessage): void;
}

/** Names one group's running sum. */
export interface GroupKey {
  readonly attempt: number;
  readonly group: number;
}

/** The running sums: finished uploads are added and forgotten, so nothing of one client is ever held. */
export interface GroupSums {
  open(key: GroupKey, words: number): void;
  /** @param upload whole; it is its caller's, who wipes it. */
  add(key: GroupKey, upload: Upload): void;
  /**
   * The sum, which is of these clients' inputs, and is then gone from here.
   * @throws {PartialSumLostError} where other processes hold parts of it, and one is gone.
   */
  take(key: GroupKey, clients: readonly ClientId[]): Promise<Uint32Array>;
  discard(key: GroupKey): void;
}

/** Bytes that crossed the wire since the start. */
export interface Traffic {
  readonly upBytes: number;
  readonly downBytes: number;
}

/** What a task runs on. */
export interface RunnerPorts {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly clock: Clock;
  /** Draws who is selected. */
  readonly selection: RandomWords;
  /** Draws the noise that the coordinator adds, where it is trusted to. */
  readonly noise: RandomWords;
  readonly crypto: CryptoSuite;
  readonly outbox: Outbox;
  readonly sums: GroupSums;
  readonly unmasker: Unmasker;
  readonly traffic: () => Traffic;
  readonly keyPair: KeyPair;
  /** Uploads of a task that may be begun and not finished at a time. */
  readonly halfOpenUploads: number;
  readonly emit: (event: CoordinationEvent) => void;
}

/** Another process wrote to the journal: this one is out of date and must not go on. */
export class JournalConflictError extends FederatedError {
  override readonly name = 'JournalConflictError';
  readonly code = 'coordination/journal-conflict';
  readonly fault = 'environment' as const;
  constructor(
    readonly expected: number,
    readonly found: number,
    options?: ErrorOptions,
  ) {
    super(
      `the journal holds ${found} entries; ${expected} were expected: another coordinator writes to it`,
      options,
    );
  }
}

/** A blob that must be there. @throws {MissingBlobError} */
export async function fetchBlob(blobs: Blobs, hash: string): Promise<Uint8Array> {
  const bytes = await blobs.get(hash);
  if (bytes === undefined) throw new MissingBlobError(hash);
  return bytes;
}

/** The content address of bytes: H("blob", bytes) in hexadecimal. */
export function blobHash(bytes: Uint8Array, crypto: CryptoSuite): string {
  return toHex(crypto.digest('blob', bytes));
}
