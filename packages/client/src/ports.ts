import type { RandomWords, Ranges, SecureRandom, SeededRandom } from '@tutti/base';
import type { LoadedModel, LocalData, Model } from '@tutti/model';
import type { ClientMessage, CoordinatorMessage, Reply, RoundDescription, TaskInfo } from '@tutti/protocol';
import type { CryptoSuite, KeyPair, MaskedInput, QuantizedInput, WordBits } from '@tutti/secure-aggregation';
import type { Policy } from './policy.ts';
import type { Part } from './part.ts';
import type { OpenTable, RoundSlice } from './slice.ts';

/** What a device keeps between rounds and restarts. Sealed at rest by the adapters that write to a disk. */
export interface ClientStore {
  get(key: string): Promise<Uint8Array | undefined>;
  /** Durable before it resolves. */
  set(key: string, value: Uint8Array): Promise<void>;
  /** Adds a record to a log; durable before it resolves. */
  append(log: string, record: Uint8Array): Promise<void>;
  readLog(log: string): Promise<readonly Uint8Array[]>;
  /** Removes everything. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Checkpoints, ready to train: fetched by hash, verified, loaded. Caching is the adapter's. */
export interface Models {
  /** @throws when the checkpoint cannot be had, or is not the one that the hash names. */
  open(modelHash: string): Promise<LoadedModel>;
  /**
   * A round's slice. What is fetched is the same for every client of the round.
   * @param read checks the bytes against the description and takes them apart; not called again only where it was called for
   *   the same description.
   * @throws when the slice cannot be had, is not the one that the hash names, or `read` refuses it.
   */
  openSlice(description: RoundDescription, read: (bytes: Uint8Array) => RoundSlice): Promise<OpenTable>;
}

/** A connection to a coordinator. */
export interface Connection {
  /** Sends a message and waits for its answer. Rejects at the timeout, or when the connection closes. */
  request(message: ClientMessage, options: { timeoutMs: number; signal: AbortSignal }): Promise<Reply>;
  close(): void;
}

/** How a device reaches its coordinator. */
export interface Transport {
  connect(
    handlers: {
      onMessage(message: CoordinatorMessage): void;
      onClose(reason: string): void;
      /** A message left, in so many bytes. */
      onSent?(message: ClientMessage, bytes: number): void;
    },
    signal: AbortSignal,
  ): Promise<Connection>;
}

/** Whether now is a good moment: idle, charging, unmetered, consent given. */
export interface Conditions {
  /** @param moment whether something would begin (a check-in, training), or a round that was begun would go on. */
  check(
    moment: 'begin' | 'go-on',
  ): Promise<
    | { readonly eligible: true }
    | { readonly eligible: false; readonly reason: string; readonly retryAfterMs: number }
  >;
}

/** Time, passed in. */
export interface ClientClock {
  now(): number;
  /** Resolves after `ms`; rejects when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** What a device trains and measures on. It never leaves. */
export type LocalExamples = LocalData;

/** A client message as the device makes it: a masked vector is whole, and travels in frames. */
export type DeviceMessage =
  | Exclude<ClientMessage, { type: 'masked-input' | 'hello' | 'check-in' }>
  | {
      readonly type: 'masked-input';
      readonly attempt: number;
      readonly words: MaskedInput | QuantizedInput;
      /** Where the words stand, all others being zero: only where {@link DeviceOptions.rangedInputs} gave room for it. */
      readonly ranges?: Ranges;
      /** Bits of each word that travel; the upper ones, if any, are left out. */
      readonly wordBits: WordBits;
    };

/**
 * Where a device's enrolment token comes from, when it has none that holds long enough: the app's login back end, which asks the
 * authority for it.
 * @returns 96 bytes.
 */
export type TokenSource = (wanted: {
  readonly clientId: string;
  /** The authority's public key, 64 hexadecimal digits: one of those that the policy trusts. */
  readonly authority: string;
}) => Promise<Uint8Array>;

/** Proofs out of an authority's log. They are checked against a head that it signed, whoever gives them. */
export interface LogProofs {
  /** That the log's first `to` entries begin with its first `from`. */
  consistency(from: number, to: number): Promise<Uint8Array>;
  /** For each position, its path to the root of the log's first `size` entries. */
  inclusion(indexes: readonly number[], size: number): Promise<readonly Uint8Array[]>;
}

/** Compares models on channels, where a description asks for it. */
export interface Comparing {
  /**
   * @param measure the figures of this person's held-out item under a model, each in [0, 1].
   * @returns what the description's lanes are to hold: none of them where the two models are not here. Undefined where it asks for no
   *   comparison.
   */
  compare(
    description: RoundDescription,
    measure: (model: LoadedModel) => Promise<Readonly<Record<string, number>>>,
  ): Promise<Readonly<Record<string, number>> | undefined>;
}

/** Memory for an input in ranges, whatever stood there. */
export interface RangedInputs {
  words(count: number): Uint32Array;
  /** Two numbers a range. */
  ranges(count: number): Ranges;
}

/** What a device is made of. */
export interface DeviceOptions {
  readonly identity: KeyPair;
  /** The task, with the coordinator key that is pinned. */
  readonly task: TaskInfo;
  readonly model: Model;
  readonly store: ClientStore;
  readonly models: Models;
  readonly data: () => Promise<LocalExamples>;
  readonly crypto: CryptoSuite;
  readonly random: SecureRandom;
  /** Words for rounding and noise: cryptographic on a real device. */
  readonly words: (purpose: 'rounding' | 'noise', attempt: number) => RandomWords;
  /** Decides negatives and order of local training. */
  readonly seeds: (attempt: number) => SeededRandom;
  readonly policy: Policy;
  /**
   * For a host that adds inputs up itself and sends none: memory for this attempt's input, as the ranges that are not zero. The device is
   * done with it when it leaves the attempt. Without it an input has every lane, as one with masks or noise must: `mayBeRanged`.
   */
  readonly rangedInputs?: (description: RoundDescription) => RangedInputs | undefined;
  /** Milliseconds since the epoch: tokens end, and acquaintances age. */
  readonly nowMs: () => number;
  readonly token?: TokenSource;
  /** For the level `transparent`. */
  readonly logProofs?: LogProofs;
  /** Without it, a device takes part in comparisons and adds nothing to them. */
  readonly channels?: Comparing | undefined;
  /** Hears of an input before it leaves, and is waited for. */
  readonly onLeaving?: (part: Part) => Promise<void>;
}
