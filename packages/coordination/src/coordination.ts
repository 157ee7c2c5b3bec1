import { secureWords, UsageError, type RandomWords, type SecureRandom } from '@tutti/base';
import type { ClientMessage, Reply, TaskInfo } from '@tutti/protocol';
import {
  localUnmasker,
  type ClientId,
  type CryptoSuite,
  type KeyPair,
  type Unmasker,
} from '@tutti/secure-aggregation';
import { openRunner } from './census.ts';
import type { CoordinationEvent, TaskStatus } from './events.ts';
import type { EvaluationRecord, RoundRecord, RunState } from './journal.ts';
import { memoryGroupSums } from './memory.ts';
import type { Blobs, Clock, GroupSums, Outbox, RunnerPorts, Store, Traffic } from './ports.ts';
import type { TaskConfig } from './task-config.ts';
import type { Registry } from './registry.ts';
import { checkTaskConfig } from './task-problems.ts';
import type { TaskRunner } from './task-runner.ts';
import { HALF_OPEN_UPLOADS } from './uploads.ts';

/** Tasks that were created while a coordinator ran, where every process of it reaches them. */
export interface CreatedTasks {
  /** A task that was created, ready to be run here; undefined where none of this name was. */
  load(task: string): Promise<TaskConfig | undefined>;
}

/** What a coordinator is made of. */
export interface CoordinationOptions {
  readonly tasks: readonly TaskConfig[];
  readonly store: Store;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly random: SecureRandom;
  /** Draws who is selected; cryptographic unless a simulation passes a seeded stream. */
  readonly selection?: RandomWords;
  /** Draws noise that the coordinator adds; cryptographic unless a simulation passes a seeded stream. */
  readonly noise?: RandomWords;
  readonly crypto: CryptoSuite;
  readonly outbox: Outbox;
  readonly sums?: GroupSums;
  /** Takes the masks from sums; by default in this thread. It belongs to who made it, and is closed by them. */
  readonly unmasker?: Unmasker;
  readonly traffic?: () => Traffic;
  /** The coordinator's Ed25519 key; by default made once and kept in the store, its seed as {@link COORDINATOR_KEY}. */
  readonly keyPair?: KeyPair;
  /** Uploads of a task that may be begun and not finished at a time. */
  readonly halfOpenUploads?: number;
  /** For coordinators of several processes: each takes up what another one created. */
  readonly created?: CreatedTasks;
}

/** The server engine: tasks, clients, rounds. No sockets, no clock, no disk of its own. */
export interface Coordination {
  readonly publicKey: Uint8Array;
  readonly taskNames: readonly string[];
  taskInfo(task: string): TaskInfo | undefined;
  /** A client whose greeting was verified is there. */
  connected(task: string, client: ClientId): void;
  disconnected(client: ClientId): void;
  handle(client: ClientId, message: ClientMessage): Promise<Reply>;
  /** For sums that are kept elsewhere: the client's input is in its group's sum. */
  inputAdded(client: ClientId, attempt: number): Promise<Reply>;
  evaluate(task: string): Promise<EvaluationRecord>;
  /**
   * Opens one more task, as at the start: one whose journal the store holds goes on.
   * @param keep makes it be there after every start; called once nobody else can create one of this name, and waited for.
   * @throws {UsageError} if there is one of this name, or with everything that is wrong with it.
   * @throws {StaleTaskError} if the store holds a task of the same name with another model or catalogue.
   */
  addTask(config: TaskConfig, keep?: () => Promise<void>): Promise<void>;
  /**
   * Pauses a task once the attempt that is going on has ended, resumes it, or stops it at once and for good. Durable when it resolves.
   * @param by name of whoever asks for it, for the journal.
   * @throws {TaskStoppedError} if the task was stopped before. @throws {UsageError} if there is no such task.
   */
  setRun(task: string, run: RunState, by: string): Promise<void>;
  status(task: string): TaskStatus | undefined;
  rounds(task: string): readonly RoundRecord[];
  /** The models of a task, and its channels; undefined for an unknown task. */
  registry(task: string): Registry | undefined;
  subscribe(listener: (event: CoordinationEvent) => void): () => void;
  /** Opens no further attempt. @returns a promise that resolves when those that are going on have ended. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Where the coordinator's key is kept in the store. */
export const COORDINATOR_KEY = 'coordinator-key';

/**
 * Opens every task, replaying its journal.
 * @throws {UsageError} with everything that is wrong with the tasks, each with its path.
 * @throws {StaleTaskError} if the store holds a task of the same name with another model or catalogue.
 */
export async function createCoordination(options: CoordinationOptions): Promise<Coordination> {
  for (const task of options.tasks) checkTaskConfig(task);
  const keyPair = options.keyPair ?? (await storedKeyPair(options));
  const listeners = new Set<(event: CoordinationEvent) => void>();
  const runners = new Map<string, TaskRunner>();
  const taskOf = new Map<ClientId, TaskRunner>();
  const emit = (event: CoordinationEvent): void => listeners.forEach((listener) => listener(event));
  async function addTask(config: TaskConfig, keep?: () => Promise<void>): Promise<void> {
    checkTaskConfig(config);
    if (runners.has(config.name)) throw new UsageError(`tasks: two are named ${config.name}`);
    await keep?.();
    const ports: RunnerPorts = {
      store: options.store,
      blobs: options.blobs,
      clock: options.clock,
      selection: options.selection ?? secureWords(options.random),
      noise: options.noise ?? secureWords(options.random),
      crypto: options.crypto,
      outbox: options.outbox,
      sums: options.sums ?? memoryGroupSums(),
      unmasker: options.unmasker ?? localUnmasker(options.crypto),
      traffic: options.traffic ?? (() => ({ upBytes: 0, downBytes: 0 })),
      keyPair,
      halfOpenUploads: options.halfOpenUploads ?? HALF_OPEN_UPLOADS,
      emit,
    };
    const runner = await openRunner(config, ports, (next, first) => {
      runners.set(config.name, next);
      for (const [client, at] of taskOf) if (at === first) taskOf.set(client, next);
    });
    runners.set(config.name, runner);
    emit({ type: 'task-opened', task: config.name });
  }
  for (const config of options.tasks) await addTask(config);
  function runnerOf(task: string): TaskRunner {
    const runner = runners.get(task);
    if (runner === undefined) throw new UsageError(`there is no task ${task}`);
    return runner;
  }
  const unknown: Reply = {
    type: 'refused',
    reason: 'not-greeted',
    field: 'client',
    problem: 'this client is not connected to a task',
  };
  return {
    publicKey: keyPair.publicKey,
    get taskNames() {
      return [...runners.keys()];
    },
    taskInfo: (task) => runners.get(task)?.info(),
    connected(task, client) {
      const runner = runnerOf(task);
      taskOf.set(client, runner);
      runner.connected(client);
    },
    disconnected(client) {
      taskOf.get(client)?.disconnected(client);
      taskOf.delete(client);
    },
    handle: async (client, message) => taskOf.get(client)?.handle(client, message) ?? unknown,
    inputAdded: async (client, attempt) => taskOf.get(client)?.inputAdded(client, attempt) ?? unknown,
    evaluate: async (task) => runnerOf(task).evaluate(),
    addTask,
    setRun: async (task, run, by) => runnerOf(task).setRun(run, by),
    status: (task) => runners.get(task)?.status(),
    registry: (task) => runners.get(task)?.registry,
    rounds: (task) => runners.get(task)?.rounds() ?? [],
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async drain() {
      await Promise.all([...runners.values()].map((runner) => runner.drain()));
    },
    async close() {
      await Promise.all([...runners.values()].map((runner) => runner.close()));
    },
  };
}

async function storedKeyPair({ store, crypto, random }: CoordinationOptions): Promise<KeyPair> {
  const seed = (await store.get(COORDINATOR_KEY)) ?? random.bytes(32);
  await store.put(COORDINATOR_KEY, seed);
  return crypto.signKeyPairFromSeed(seed);
}
