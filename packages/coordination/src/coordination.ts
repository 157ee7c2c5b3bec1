import { secureWords, UsageError, wipe, type RandomWords, type SecureRandom } from '@tutti/base';
import type { ClientMessage, Reply, TaskInfo } from '@tutti/protocol';
import {
  localUnmasker,
  type ClientId,
  type CryptoSuite,
  type KeyPair,
  type Unmasker,
} from '@tutti/secure-aggregation';
import { openAnnouncer } from './announcer.ts';
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
  /**
   * A task whose journal cannot be written is opened again after so long, from what the journal holds, and again until that can be; in
   * milliseconds. When left out it stands still for good: where others take tasks over, one of them does.
   */
  readonly openAgainMs?: number;
}

/** The server engine: tasks, clients, rounds. No sockets, no clock, no disk of its own. */
export interface Coordination {
  readonly publicKey: Uint8Array;
  readonly taskNames: readonly string[];
  taskInfo(task: string): TaskInfo | undefined;
  /** A client whose greeting was verified is there. */
  connected(task: string, client: ClientId): void;
  disconnected(client: ClientId): void;
  /** Answers a message. The bytes of a frame of an input belong to coordination from now on: it wipes them. */
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
  /** Hears what happens. Until a client is there also, first, of attempts that a crash left open and the start ended. @returns how to stop. */
  subscribe(listener: (event: CoordinationEvent) => void): () => void;
  /** Why no attempt can begin here now, in words, where what this process stands on is away; it goes on by itself. */
  problem?(): string | undefined;
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
  const runners = new Map<string, TaskRunner>();
  const taskOf = new Map<ClientId, TaskRunner>();
  const { emit, subscribe, settled } = openAnnouncer();
  const later = laterOf(options);
  async function openTask(config: TaskConfig): Promise<TaskRunner> {
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
      emit(event) {
        emit(event);
        if (event.type === 'failed' && event.fatal) later.once(config.name, () => openAgain(config));
      },
    };
    return openRunner(config, ports, (next, first) => replace(config, first, next));
  }
  function replace({ name }: TaskConfig, before: TaskRunner, next: TaskRunner): void {
    runners.set(name, next);
    for (const [client, at] of taskOf) if (at === before) taskOf.set(client, next);
  }
  async function addTask(config: TaskConfig, keep?: () => Promise<void>): Promise<void> {
    checkTaskConfig(config);
    if (runners.has(config.name)) throw new UsageError(`tasks: two are named ${config.name}`);
    await keep?.();
    runners.set(config.name, await openTask(config));
    emit({ type: 'task-opened', task: config.name });
  }
  /** Goes on with what the journal of a task holds, once it can be written again. */
  async function openAgain(config: TaskConfig): Promise<void> {
    const before = runnerOf(config.name);
    await before.startAgain(async () => {
      const next = await openTask(config);
      replace(config, before, next);
      return next;
    });
    emit({ type: 'task-reopened', task: config.name });
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
      settled();
      const runner = runnerOf(task);
      taskOf.set(client, runner);
      runner.connected(client);
    },
    disconnected(client) {
      taskOf.get(client)?.disconnected(client);
      taskOf.delete(client);
    },
    async handle(client, message) {
      const runner = taskOf.get(client);
      if (runner !== undefined) return runner.handle(client, message);
      if (message.type === 'masked-input') wipe(message.bytes);
      return unknown;
    },
    inputAdded: async (client, attempt) => taskOf.get(client)?.inputAdded(client, attempt) ?? unknown,
    evaluate: async (task) => runnerOf(task).evaluate(),
    addTask,
    setRun: async (task, run, by) => runnerOf(task).setRun(run, by),
    status: (task) => runners.get(task)?.status(),
    registry: (task) => runners.get(task)?.registry,
    rounds: (task) => runners.get(task)?.rounds() ?? [],
    subscribe,
    async drain() {
      later.close();
      await Promise.all([...runners.values()].map((runner) => runner.drain()));
    },
    async close() {
      later.close();
      await Promise.all([...runners.values()].map((runner) => runner.close()));
    },
  };
}

/** Work that is done later, once for each name at a time, and again until it succeeds. */
function laterOf({ clock, openAgainMs }: CoordinationOptions): {
  once(name: string, work: () => Promise<void>): void;
  close(): void;
} {
  const waiting = new Map<string, () => void>();
  let closed = openAgainMs === undefined;
  function once(name: string, work: () => Promise<void>): void {
    if (closed || waiting.has(name)) return;
    const cancel = clock.after(openAgainMs ?? 0, () => {
      waiting.delete(name);
      work().catch(() => once(name, work));
    });
    waiting.set(name, cancel);
  }
  return {
    once,
    close() {
      closed = true;
      for (const cancel of waiting.values()) cancel();
      waiting.clear();
    },
  };
}

async function storedKeyPair({ store, crypto, random }: CoordinationOptions): Promise<KeyPair> {
  const seed = (await store.get(COORDINATOR_KEY)) ?? random.bytes(32);
  await store.put(COORDINATOR_KEY, seed);
  return crypto.signKeyPairFromSeed(seed);
}
