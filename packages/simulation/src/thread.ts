import type { PersonRanking } from '@tutti/evaluation';
import type { EngineChoice } from '@tutti/engine-simd';
import type { BackendName, ModelConfig } from '@tutti/model';
import type { CoordinatorMessage, DeclineReason, RoundDescription, TaskInfo } from '@tutti/protocol';
import type { DeviceMessage } from '@tutti/client';
import type { EvaluationTask } from './evaluation/measure-people.ts';
import type { Population } from './population.ts';

/** What a worker thread is started with. */
export interface ThreadSetup {
  readonly population: Population;
  readonly model: ModelConfig;
  /** The module that defines an app's own model: threads import it. */
  readonly definedIn?: string;
  readonly task: TaskInfo;
  readonly seed: string;
  readonly protocol: 'plain' | 'secure';
  readonly dropout: number;
  readonly smallestCohort: number;
  readonly engine: EngineChoice;
  readonly backend: BackendName | 'auto';
  /** Of the process that the thread is one of. */
  readonly kernel?: WebAssembly.Module | undefined;
  /** Where its devices may have to be moved to another host, whole. */
  readonly movable?: Movable;
}

/** What a thread is started with that ranks for people with checkpoints. */
export interface EvaluationSetup {
  readonly model: ModelConfig;
  readonly items: number;
  readonly engine: EngineChoice;
  readonly backend: BackendName | 'auto';
  /** As above. */
  readonly kernel?: WebAssembly.Module | undefined;
}

/** What such a thread is asked. */
export interface EvaluationRequest extends EvaluationTask {
  readonly kind: 'evaluate';
  /** The content address of `checkpoint`: one that it had last is not loaded again. */
  readonly hash: string;
  readonly checkpoint: Uint8Array;
}

/** What devices are made of again elsewhere, beside what they are told. */
export interface Movable {
  /** 32 random bytes: the devices' randomness. */
  readonly secret: Uint8Array;
  /** What they had stored, as `encodeStored` wrote it. */
  readonly stored: Uint8Array;
}

/** A coordinator's message for one simulated device. */
export interface Delivery {
  readonly user: number;
  readonly message: CoordinatorMessage;
}

/** What a device answers; its input is added to the thread's own sum of the group, and only its size is told. */
export type Answer =
  | Exclude<DeviceMessage, { type: 'masked-input' }>
  | { readonly type: 'input-added'; readonly attempt: number; readonly bytes: number };

/** Members of a plain attempt whom a thread is asked to train, each for its group's sum; it answers who gave nothing. */
export interface ContributionRequest {
  readonly kind: 'contribute';
  readonly description: RoundDescription;
  readonly members: readonly (readonly [user: number, group: number])[];
}

/** A member of an attempt that gives nothing, and why. */
export interface Declining {
  readonly user: number;
  readonly reason: DeclineReason;
}

/** Which group's running sum. */
export interface GroupKey {
  readonly attempt: number;
  readonly group: number;
}

/** What the main thread asks a worker. Every request is answered once, by `id`. */
export type ThreadRequest =
  | {
      readonly kind: 'deliver';
      readonly deliveries: readonly Delivery[];
      /** The number of the request, where devices may be moved: the same when it is made again. */
      readonly turn?: number;
    }
  | { readonly kind: 'take-sum'; readonly key: GroupKey }
  | { readonly kind: 'rank'; readonly users: readonly number[]; readonly modelHash: string }
  | { readonly kind: 'keep' };

/** What a worker answers to each kind of request. */
export interface ThreadAnswers {
  deliver: readonly { readonly user: number; readonly answers: readonly Answer[] }[];
  'take-sum': Uint32Array | undefined;
  rank: readonly PersonRanking[];
  /** What devices stored since this was last asked, as `encodeStored` wrote it. */
  keep: Uint8Array;
}

/** Messages on the port between the main thread and a worker. */
export type ToThread =
  | { readonly id: number; readonly request: ThreadRequest | EvaluationRequest | ContributionRequest }
  | { readonly blob: string; readonly bytes: Uint8Array | undefined };
export type FromThread =
  | { readonly ready: true; readonly backend: string; readonly notes: readonly string[] }
  /** It does not start, for what it was asked for cannot be. */
  | { readonly refused: string }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string }
  /** What whoever asked can mend. */
  | { readonly id: number; readonly refused: string }
  | { readonly fetch: string };
