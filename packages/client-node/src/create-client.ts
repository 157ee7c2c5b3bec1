import { UsageError } from '@tutti/base';
import type { ClientStore, Conditions, DevicePrivacy, Policy, TokenSource } from '@tutti/client';
import {
  addressOf,
  checkCommonOptions,
  openChannels,
  openDownloads,
  openListeners,
  Recommender,
  type Consent,
  type HeldOut,
  type Interaction,
  type Receipts,
  type Recommendation,
  type RecommenderEvents,
  type RecommendOptions,
  type SharedEngine,
  type SimilarOptions,
} from '@tutti/client/sdk';
import type { Channel } from '@tutti/protocol';
import type { ClientId, KeyPair } from '@tutti/secure-aggregation';
import { decodeModelConfig, type OwnModel } from '@tutti/model';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { fileStore } from './file-store.ts';
import { createSharedEngine } from './shared-engine.ts';
import { systemClientClock } from './clock.ts';
import { socketTransport } from './transport.ts';

/** What an app creates a client with. */
export interface ClientOptions {
  /** Address of the coordinator, such as `https://fl.example.org`. */
  readonly coordinator: string;
  readonly task: string;
  /** A folder of this device, sealed at rest; or a store of the app's own. */
  readonly store: string | ClientStore;
  /**
   * `granted`: who runs this program consents by running it, until {@link Client.consent} is withdrawn. `ask`: nothing is sent
   * before it is granted. Default `granted`.
   */
  readonly consent?: 'granted' | 'ask';
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
  /** The app's own model, where the task trains one (docs/own-model.md); an `engine` that is given has been made with its own. */
  readonly model?: OwnModel;
  /** Whose models this device ranks with, once an operator puts some there; `canary` falls back on `stable`. Default `stable`. */
  readonly channel?: Channel;
  /** One engine for several clients of a process. */
  readonly engine?: SharedEngine;
  readonly conditions?: Conditions;
  /** The item that this device measures itself on, and what it is ranked among; by default the latest one recorded. */
  readonly heldOut?: HeldOut;
  /** See `createParticipation`. */
  readonly answerEveryMs?: number;
  readonly backOff?: { readonly firstMs: number; readonly mostMs: number };
}

/** What an app hears. */
export type ClientEvents = RecommenderEvents;

/** A person's private recommender, on their device. */
export interface Client extends AsyncDisposable {
  readonly id: ClientId;
  readonly consent: Consent;
  /** Keeps what the person did, durably, on this device. Nothing is sent. */
  record(interactions: Interaction | readonly Interaction[]): Promise<void>;
  /** What was recorded and not taken back by an interaction of kind `undo`, oldest first. */
  history(): Promise<readonly Interaction[]>;
  /** Whether the task's catalogue has an item; what is recorded of others is kept and not trained on. */
  knows(item: string): boolean;
  /**
   * The best items that the person has not touched; computed here, without a network once a model is here. Of a catalogue that
   * travels in slices, items count that this device knows: those of the slices it took part with, and all after {@link Client.refresh}.
   */
  recommend(options?: RecommendOptions): Promise<readonly Recommendation[]>;
  /** Items that are like one, the most alike first; none where the task does not know it. Computed here as well. */
  similar(item: string, options?: SimilarOptions): Promise<readonly Recommendation[]>;
  /** Fetches the newest model, the whole of it, so that recommendations use it. */
  refresh(options?: { signal?: AbortSignal }): Promise<void>;
  /** What taking part has cost this device so far, by its own count, and what its policy allows. */
  privacy(): Promise<DevicePrivacy>;
  /** What left this device, round by round, in figures and in words. */
  receipts(): Promise<Receipts>;
  /** Takes part in rounds until `signal` aborts, or {@link Client.stop} is called. */
  participate(options?: { signal?: AbortSignal }): Promise<void>;
  stop(): Promise<void>;
  on<Type extends keyof ClientEvents>(type: Type, listener: (event: ClientEvents[Type]) => void): () => void;
  /** Stops, and removes everything that this client keeps: interactions, vector, identity. It is of no more use then. */
  forget(): Promise<void>;
  close(): Promise<void>;
}

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
    return await openClient(options, store);
  } catch (error) {
    if (ownStore) await store.close();
    throw error;
  }
}

/** Bytes of a key that seals a folder. */
const SEALING_KEY_BYTES = 32;

function checkOptions(options: ClientOptions): void {
  checkCommonOptions(options);
  const { sealingKey } = options;
  if (sealingKey !== undefined && sealingKey.length !== SEALING_KEY_BYTES)
    throw new UsageError(`sealingKey has ${sealingKey.length} bytes; ${SEALING_KEY_BYTES} are needed`);
}

async function openClient(options: ClientOptions, store: ClientStore): Promise<Client> {
  const coordinator = addressOf(options.coordinator);
  const listeners = openListeners();
  const engine =
    options.engine ?? (await createSharedEngine(options.model === undefined ? {} : { model: options.model }));
  const core = new Recommender({
    ...options,
    openChannels: (parts) => openChannels({ ...parts, channel: options.channel }),
    taskName: options.task,
    store,
    downloads: openDownloads(coordinator, fetch, nodeCrypto),
    transport: socketTransport(coordinator),
    crypto: nodeCrypto,
    clock: systemClientClock,
    nowMs: () => Date.now(),
    engine,
    decodeConfig: decodeModelConfig,
    conditions: options.conditions ?? { check: async () => ({ eligible: true }) },
    consentNeeded: options.consent === 'ask',
    onEvent: listeners.emit,
  });
  const { id } = await core.know();
  const close = async (): Promise<void> => {
    await core.stop();
    await store.close();
    if (options.engine === undefined) engine.close();
  };
  return {
    id,
    consent: core.consent,
    record: (interactions) => core.record(interactions),
    history: () => core.history.all(),
    knows: (item) => core.knows(item),
    recommend: (asked) => core.recommend(asked),
    similar: (item, asked) => core.similar(item, asked),
    refresh: (asked) => core.refresh(asked),
    privacy: () => core.privacy(),
    receipts: () => core.receipts(),
    participate: (asked) => core.participate(asked),
    stop: () => core.stop(),
    on: listeners.on,
    forget: () => core.forget(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
