import {
  DecodeError,
  fromHex,
  keepLocal,
  secureWords,
  seededRandom,
  systemRandom,
  toHex,
  UsageError,
  utf8,
} from '@tutti/base';
import {
  createDevice,
  createParticipation,
  itemOf,
  resolvePolicy,
  type ClientStore,
  type Conditions,
  type Device,
  type DevicePrivacy,
  type LocalExamples,
  type ParticipationEvent,
  type Policy,
  type TokenSource,
} from '@tutti/client';
import { createModel, decodeModelConfig, layoutFingerprint, type Model } from '@tutti/model';
import { decodeTaskInfo, type TaskInfo } from '@tutti/protocol';
import { clientIdOf, TOKEN_BYTES, type ClientId, type KeyPair } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { decodeCatalogue, type Catalogue } from './catalogue.ts';
import { WrongCoordinatorError } from './errors.ts';
import { fileStore } from './file-store.ts';
import { addressOf, fetchBlob, fetchTask } from './http.ts';
import {
  checkInteractions,
  decodeInteractions,
  encodeInteractions,
  type Interaction,
} from './interactions.ts';
import { coordinatorProofs } from './log-proofs.ts';
import { createSharedEngine, type SharedEngine } from './shared-engine.ts';
import { systemClientClock } from './clock.ts';
import { tokenSource } from './token.ts';
import { deadlineSignal, eitherSignal } from './signals.ts';
import { openTables, type Tables } from './tables.ts';
import { socketTransport } from './transport.ts';

/** What an app creates a client with. */
export interface ClientOptions {
  /** Address of the coordinator, such as `https://fl.example.org`. */
  readonly coordinator: string;
  readonly task: string;
  /** A folder of this device, sealed at rest; or a store of the app's own. */
  readonly store: string | ClientStore;
  /** This device's Ed25519 key; by default made once and kept in the store. */
  readonly identity?: KeyPair;
  /** What this device asks of a round beyond the defaults. */
  readonly policy?: Partial<Policy>;
  /**
   * This device's enrolment token, where the task asks for one: 96 bytes, or how to get them from the app's login back end. Asked
   * for when there is none or it ends within a day; kept in the store.
   */
  readonly token?: Uint8Array | TokenSource;
  /** The coordinator's public key in hexadecimal; by default the first one seen is pinned. */
  readonly coordinatorKey?: string;
  /** 32 bytes that seal the folder; by default a key file of the owner's in it. */
  readonly sealingKey?: Uint8Array;
  /** One engine for several clients of a process. */
  readonly engine?: SharedEngine;
  readonly conditions?: Conditions;
  /** The item that this device measures itself on, and what it is ranked among; by default the latest one recorded. */
  readonly heldOut?: { readonly item: string; readonly candidates: readonly string[] };
  /** See `createParticipation`. */
  readonly answerEveryMs?: number;
  readonly backOff?: { readonly firstMs: number; readonly mostMs: number };
}

/** One recommended item. */
export interface Recommendation {
  readonly item: string;
  readonly score: number;
  readonly title?: string;
}

/** What an app hears. */
export type ClientEvents = { [Event in ParticipationEvent as Event['type']]: Event };

/** A person's private recommender, on their device. */
export interface Client extends AsyncDisposable {
  readonly id: ClientId;
  /** Keeps what the person did, durably, on this device. Nothing is sent. */
  record(interactions: Interaction | readonly Interaction[]): Promise<void>;
  /** What was recorded, oldest first. */
  history(): Promise<readonly Interaction[]>;
  /** Whether the task's catalogue has an item; what is recorded of others is kept and not trained on. */
  knows(item: string): boolean;
  /**
   * The best items that the person has not touched; computed here, without a network once a model is here. Of a catalogue that
   * travels in slices, items count that this device knows: those of the slices it took part with, and all after {@link Client.refresh}.
   */
  recommend(options?: { k?: number; exclude?: readonly string[] }): Promise<readonly Recommendation[]>;
  /** Fetches the newest model, the whole of it, so that recommendations use it. */
  refresh(options?: { signal?: AbortSignal }): Promise<void>;
  /** What taking part has cost this device so far, by its own count, and what its policy allows. */
  privacy(): Promise<DevicePrivacy>;
  /** Takes part in rounds until `signal` aborts, or {@link Client.stop} is called. */
  participate(options?: { signal?: AbortSignal }): Promise<void>;
  stop(): Promise<void>;
  on<Type extends keyof ClientEvents>(type: Type, listener: (event: ClientEvents[Type]) => void): () => void;
  /** Stops, and removes everything that this client keeps: interactions, vector, identity. It is of no more use then. */
  forget(): Promise<void>;
  close(): Promise<void>;
}

/** Keys in the store. */
const IDENTITY = 'identity';
const PINNED_KEY = 'coordinator-key';
const TASK = 'task';
const CATALOGUE = 'catalogue';
const INTERACTIONS = 'interactions';

/** Negatives that a held-out item is ranked among. */
const CANDIDATES = 99;

/** Fewest items of a person for one of them to be held out. */
const LEAST_FOR_HELD_OUT = 4;

/**
 * Opens a person's client. It needs the network once, to learn the task; from then on it opens without one.
 * @throws {UsageError} for an option that is not what it must be, before anything is opened.
 * @throws {WrongCoordinatorError} if the coordinator's key is not the one that is pinned.
 */
export async function createClient(options: ClientOptions): Promise<Client> {
  checkOptions(options);
  const { sealingKey } = options;
  const ownStore = typeof options.store === 'string';
  const store = ownStore
    ? await fileStore(options.store, sealingKey === undefined ? {} : { sealingKey })
    : options.store;
  try {
    return await openClient({ ...options, coordinator: addressOf(options.coordinator) }, store);
  } catch (error) {
    if (ownStore) await store.close();
    throw error;
  }
}

async function openClient(options: ClientOptions, store: ClientStore): Promise<Client> {
  const identity = options.identity ?? (await keptIdentity(store));
  const task = await learnTask(options, store);
  const model = createModel(decodeModelConfig(task.model), task.items);
  if (toHex(nodeCrypto.digest('layout', utf8(layoutFingerprint(model)))) !== task.layoutHash)
    throw new DecodeError('task.layoutHash', 'is not that of the model that the task names');
  const catalogue = await learnCatalogue(options, store, task);
  await store.set(TASK, utf8(JSON.stringify(task)));
  const ownEngine = options.engine === undefined;
  const engine = options.engine ?? (await createSharedEngine());
  await engine.prepare(model, task.layoutHash);
  return new NodeClient({ options, store, identity, task, model, catalogue, engine, ownEngine });
}

/** How long a client that knows its task waits to hear of it again, in milliseconds. */
const KNOWN_TASK_MS = 3_000;

/** Bytes of a key that seals a folder. */
const SEALING_KEY_BYTES = 32;

function checkOptions(options: ClientOptions): void {
  const { coordinator, task, sealingKey, coordinatorKey, policy, token } = options;
  if (!URL.canParse(coordinator) || !/^https?:$/.test(new URL(coordinator).protocol))
    throw new UsageError(
      `coordinator is ${coordinator}; an address such as https://fl.example.org is needed`,
    );
  if (typeof task !== 'string' || task === '') throw new UsageError('task: a name is needed');
  if (sealingKey !== undefined && sealingKey.length !== SEALING_KEY_BYTES)
    throw new UsageError(`sealingKey has ${sealingKey.length} bytes; ${SEALING_KEY_BYTES} are needed`);
  if (coordinatorKey !== undefined && !/^[0-9a-f]{64}$/.test(coordinatorKey))
    throw new UsageError('coordinatorKey: 64 lower-case hexadecimal digits are needed');
  if (token instanceof Uint8Array && token.length !== TOKEN_BYTES)
    throw new UsageError(`token has ${token.length} bytes; ${TOKEN_BYTES} are needed`);
  resolvePolicy(policy);
}

interface Parts {
  readonly options: ClientOptions;
  readonly store: ClientStore;
  readonly identity: KeyPair;
  readonly task: TaskInfo;
  readonly model: Model;
  readonly catalogue: Catalogue;
  readonly engine: SharedEngine;
  readonly ownEngine: boolean;
}

class NodeClient implements Client {
  readonly id: ClientId;
  readonly #device: Device;
  readonly #tables: Tables;
  readonly #listeners = new Map<string, Set<(event: never) => void>>();
  #forgotten = false;
  #history: readonly Interaction[] | undefined;
  #running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  constructor(private readonly parts: Parts) {
    const { identity, task, model, store, engine, options } = parts;
    const { coordinator } = options;
    this.#tables = openTables({ coordinator, task, model, store, engine });
    this.id = clientIdOf(identity.publicKey, nodeCrypto);
    const random = systemRandom();
    this.#device = createDevice({
      identity,
      task,
      model,
      store,
      models: this.#tables,
      data: () => this.#examples(),
      crypto: nodeCrypto,
      random,
      words: () => secureWords(random),
      seeds: (attempt) =>
        attempt === 0 ? seededRandom(`personalize ${this.id}`) : seededRandom(toHex(random.bytes(16))),
      policy: resolvePolicy(options.policy),
      nowMs: () => Date.now(),
      ...(options.token === undefined ? {} : { token: tokenSource(options.token) }),
      logProofs: coordinatorProofs(options.coordinator, options.task),
    });
  }

  async record(interactions: Interaction | readonly Interaction[]): Promise<void> {
    const list: readonly Interaction[] = Array.isArray(interactions)
      ? (interactions as readonly Interaction[])
      : [interactions as Interaction];
    this.#checkKept();
    if (list.length === 0) return;
    checkInteractions(list);
    const stamped = list.map((interaction) => ({ ...interaction, at: interaction.at ?? Date.now() }));
    await this.parts.store.append(INTERACTIONS, encodeInteractions(stamped));
    if (this.#history !== undefined) this.#history = [...this.#history, ...stamped];
  }

  async history(): Promise<readonly Interaction[]> {
    this.#history ??= (await this.parts.store.readLog(INTERACTIONS)).flatMap(decodeInteractions);
    return this.#history;
  }

  knows(item: string): boolean {
    return this.parts.catalogue.indexOf(item) !== undefined;
  }

  async recommend({ k = 10, exclude = [] }: { k?: number; exclude?: readonly string[] } = {}): Promise<
    readonly Recommendation[]
  > {
    if (!Number.isInteger(k) || k < 1 || k > 10_000)
      throw new UsageError(`k is ${k}; a whole number from 1 to 10000 is needed`);
    this.#checkKept();
    if (typeof exclude === 'string') throw new UsageError('exclude: a list of item ids is needed');
    const { catalogue } = this.parts;
    const table = await this.#tables.newest(this.parts.task.modelHash);
    const touched = [...(await this.history()).map(({ item }) => item), ...exclude];
    const left = Int32Array.from(touched.flatMap((item) => itemOf(table, catalogue.indexOf(item)) ?? []));
    const vector = await this.#device.vector(table);
    const { items, scores } = await table.loaded.rank(vector, { k, exclude: keepLocal(left) });
    return Array.from(items, (item, place) => {
      const row = table.rows?.[item] ?? item;
      const title = catalogue.titles?.[row];
      return {
        item: catalogue.ids[row] as string,
        score: scores[place] as number,
        ...(title === undefined ? {} : { title }),
      };
    });
  }

  async refresh({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    this.#checkKept();
    const { coordinator, task } = this.parts.options;
    const info = await fetchTask(coordinator, task, signal);
    checkPinned(info, this.parts.task.coordinatorKey);
    await this.#tables.open(info.modelHash, signal);
  }

  async participate({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    this.#checkKept();
    if (this.#running !== undefined) throw new UsageError('this client takes part already');
    const { options, task, identity } = this.parts;
    const stop = new AbortController();
    const both = eitherSignal(stop.signal, signal);
    const participation = createParticipation({
      device: this.#device,
      task,
      identity,
      crypto: nodeCrypto,
      transport: socketTransport(options.coordinator),
      conditions: options.conditions ?? { check: async () => ({ eligible: true }) },
      clock: systemClientClock,
      random: systemRandom(),
      onEvent: (event) => this.#emit(event),
      usualMs: () => this.parts.engine.usualMs(task.layoutHash),
      ...(options.backOff === undefined ? {} : { backOff: options.backOff }),
      ...(options.answerEveryMs === undefined ? {} : { answerEveryMs: options.answerEveryMs }),
    });
    const done = participation.run({ signal: both });
    this.#running = { stop, done };
    await done.finally(() => (this.#running = undefined));
  }

  privacy(): Promise<DevicePrivacy> {
    return this.#device.privacy();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    running?.stop.abort();
    await running?.done;
  }

  on<Type extends keyof ClientEvents>(type: Type, listener: (event: ClientEvents[Type]) => void): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  async forget(): Promise<void> {
    this.#forgotten = true;
    try {
      await this.stop();
    } finally {
      this.#device.leave();
      this.#history = [];
      await this.parts.store.clear();
    }
  }

  async close(): Promise<void> {
    await this.stop();
    await this.parts.store.close();
    if (this.parts.ownEngine) this.parts.engine.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkKept(): void {
    if (this.#forgotten) throw new UsageError('this client was forgotten; create another one');
  }

  #emit(event: ParticipationEvent): void {
    for (const listener of this.#listeners.get(event.type) ?? [])
      try {
        (listener as (event: ParticipationEvent) => void)(event);
      } catch (error) {
        // An app's mistake is the app's to hear of; it does not end taking part.
        queueMicrotask(() => {
          throw error;
        });
      }
  }

  async #examples(): Promise<LocalExamples> {
    const { catalogue, options } = this.parts;
    const indexes = (items: readonly string[]): number[] =>
      items.flatMap((item) => catalogue.indexOf(item) ?? []);
    const own = [...new Set(indexes((await this.history()).map(({ item }) => item)))];
    const heldOut =
      options.heldOut === undefined
        ? this.#latest(own)
        : { item: catalogue.indexOf(options.heldOut.item), candidates: indexes(options.heldOut.candidates) };
    if (heldOut?.item === undefined) return { positives: keepLocal(Int32Array.from(own)) };
    return {
      positives: keepLocal(Int32Array.from(own.filter((item) => item !== heldOut.item))),
      heldOut: keepLocal({ item: heldOut.item, candidates: Int32Array.from(heldOut.candidates) }),
    };
  }

  /** The latest item, among others that this person never touched; the same ones each time. */
  #latest(own: readonly number[]): { item: number; candidates: number[] } | undefined {
    const item = own.at(-1);
    const { items } = this.parts.model;
    if (item === undefined || own.length < LEAST_FOR_HELD_OUT || items - own.length < CANDIDATES)
      return undefined;
    const random = seededRandom(`candidates ${this.id}`);
    const touched = new Set(own);
    const candidates = new Set<number>();
    while (candidates.size < CANDIDATES) {
      const candidate = random.int(items);
      if (!touched.has(candidate)) candidates.add(candidate);
    }
    return { item, candidates: [...candidates] };
  }
}

async function keptIdentity(store: ClientStore): Promise<KeyPair> {
  const seed = (await store.get(IDENTITY)) ?? systemRandom().bytes(32);
  await store.set(IDENTITY, seed);
  return nodeCrypto.signKeyPairFromSeed(seed);
}

/** The task from the coordinator, or as it was last seen where there is no network. The coordinator's key is pinned. */
async function learnTask(options: ClientOptions, store: ClientStore): Promise<TaskInfo> {
  const pinned = options.coordinatorKey ?? textOf(await store.get(PINNED_KEY));
  if (pinned !== undefined) fromHex(pinned, 'coordinatorKey', 32);
  const kept = await store.get(TASK);
  // Who knows the task already need not wait for a network that swallows everything.
  const patience = kept === undefined ? undefined : deadlineSignal(KNOWN_TASK_MS);
  let info: TaskInfo;
  try {
    info = await fetchTask(options.coordinator, options.task, patience);
  } catch (error) {
    if (kept === undefined || error instanceof DecodeError) throw error;
    info = decodeTaskInfo(JSON.parse(textOf(kept) as string));
  }
  if (info.task !== options.task)
    throw new UsageError(
      `this store belongs to task ${info.task}; task ${options.task} needs one of its own`,
    );
  if (pinned !== undefined) checkPinned(info, pinned);
  else await store.set(PINNED_KEY, utf8(info.coordinatorKey));
  return info;
}

function checkPinned(info: TaskInfo, pinned: string): void {
  if (info.coordinatorKey !== pinned) throw new WrongCoordinatorError(pinned, info.coordinatorKey);
}

async function learnCatalogue(
  options: ClientOptions,
  store: ClientStore,
  task: TaskInfo,
): Promise<Catalogue> {
  const kept = await store.get(CATALOGUE);
  if (kept !== undefined && toHex(nodeCrypto.digest('blob', kept)) === task.catalogueHash)
    return decodeCatalogue(kept, task.items);
  const bytes = await fetchBlob(options.coordinator, task.catalogueHash);
  await store.set(CATALOGUE, bytes);
  return decodeCatalogue(bytes, task.items);
}

const textOf = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);
