import { keepLocal, seededRandom, systemRandom, toHex, utf8 } from '@tutti/base';
import {
  createDevice,
  DEFAULT_POLICY,
  memoryClientStore,
  type ClientStore,
  type Device,
  type DeviceMessage,
  type DeviceOptions,
  type Policy,
} from '@tutti/client';
import {
  createCoordination,
  manualClock,
  memoryBlobs,
  memoryStore,
  type Blobs,
  type Coordination,
  type CoordinationEvent,
  type GroupSums,
  type IdentityConfig,
  type ManualClock,
  type RoundRecord,
  type Store,
  type TaskConfig,
} from '@tutti/coordination';
import { issueToken } from '@tutti/identity';
import { createModel, decodeCheckpoint, resolveModelConfig, type LoadedModel } from '@tutti/model';
import {
  encodeMessage,
  frameCount,
  frameOf,
  phaseDigest,
  roundDigest,
  type ClientMessageOf,
  type CoordinatorMessage,
  type CoordinatorMessageOf,
  type Reply,
} from '@tutti/protocol';
import {
  clientIdOf,
  type ClientId,
  type KeyPair,
  type MaskedInput,
  type Unmasker,
} from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { expect } from 'vitest';

/** A whole federation in one process without sockets: the real engines, a manual clock, and clients that can be made to fail. */

export const ITEMS = 12;
const DIMENSION = 4;

/** The key of the authority that enrolled everybody. */
/** Who vouches for devices of stories. */
export const AUTHORITY_KEY: KeyPair = nodeCrypto.signKeyPairFromSeed(
  nodeCrypto.digest('story authority', new Uint8Array(0)),
);

/** The level of the stories in active mode, which asks for it. */
const ENROLLED: IdentityConfig = { level: 'enrolled', authority: toHex(AUTHORITY_KEY.publicKey) };

/** Tokens of the stories hold until then, in seconds: longer than any story. */
const TOKENS_END = 1_000_000_000;

/** The task of these stories: a small matrix factorisation, cohorts of eight, masks on. */
export function taskConfig(overrides: Partial<TaskConfig> = {}): TaskConfig {
  const facts = { items: ITEMS, meanHistory: 3 };
  return {
    name: 'films',
    model: createModel(resolveModelConfig({ family: 'mf', dimension: DIMENSION }, facts), ITEMS),
    catalogue: utf8(JSON.stringify({ ids: Array.from({ length: ITEMS }, (_, item) => `film-${item}`) })),
    strategy: { name: 'fedavg' },
    clippingNorm: 1,
    rounds: 1,
    cohort: { planned: 8, smallest: 4, largestGroup: 16, overselection: 1 },
    deadlinesMs: { train: 10_000, shareKeys: 5_000, maskedInput: 7_000, unmask: 3_000 },
    protection: 'secure',
    noise: { multiplier: 0, metricMultiplier: 0 },
    seed: 'stories',
    keepCheckpoints: 3,
    insecureSmallCohort: true,
    ...(overrides.mode === 'active' ? { identity: ENROLLED } : {}),
    ...overrides,
  };
}

/** A model whose training is a fixed delta, so that a story's sum is known. */
export function fixedModel(delta: Float32Array): LoadedModel {
  return {
    train: async (local) => ({
      delta: Float32Array.from(delta),
      local: local ?? keepLocal(new Float32Array(DIMENSION)),
      loss: 1,
      examples: 1,
      touchedRows: keepLocal(new Int32Array(0)),
    }),
    personalize: async (local) => local ?? keepLocal(new Float32Array(DIMENSION)),
    score: async () => keepLocal(new Float32Array(ITEMS)),
    rank: async () => keepLocal({ items: new Int32Array(0), scores: new Float32Array(0) }),
    dispose: () => undefined,
  };
}

/** What a client leaves unanswered. */
export type Silence = CoordinatorMessage['type'];

/** One client of a story. */
export interface StoryClient {
  readonly id: ClientId;
  readonly identity: KeyPair;
  readonly store: ClientStore;
  readonly delta: Float32Array;
  device: Device;
  silentFrom?: Silence;
  /** Everything that it said, as the bytes on the wire. */
  readonly sent: Uint8Array[];
  readonly declined: string[];
  readonly heard: CoordinatorMessage[];
}

/** A federation and its surroundings. */
export interface Story {
  readonly coordination: Coordination;
  readonly clock: ManualClock;
  /** How far the coordinator's wall clock is ahead: it may jump, while timers run on. */
  readonly wall: { aheadMs: number };
  readonly store: Store;
  readonly blobs: Blobs;
  readonly clients: readonly StoryClient[];
  readonly events: CoordinationEvent[];
  /** A device of the same person on the same store, as after a restart. */
  restart(client: StoryClient): Device;
  /** Connects everybody and lets them check in. */
  gather(): Promise<void>;
  /** Delivers messages until nothing is on its way; time stands still. */
  settle(): Promise<void>;
  /** Settles and lets deadlines pass until an attempt has ended. */
  untilEnd(): Promise<CoordinationEvent>;
}

/** The coordinator's key of every story, so that a story can lie under its signature. */
export const COORDINATOR_KEY: KeyPair = nodeCrypto.signKeyPairFromSeed(
  nodeCrypto.digest('story coordinator'),
);

/** What becomes of a message to a client on its way. */
export type Alter = (client: number, message: CoordinatorMessage) => CoordinatorMessage;

/** One frame of a masked vector. */
export type Frame = ClientMessageOf<'masked-input'>;

/** How a client uploads, in place of one frame after another. */
export type Uploading = (
  client: number,
  frames: readonly Frame[],
  send: (frame: Frame) => Promise<Reply>,
) => Promise<void>;

/** Opens a federation of `count` clients; `store` and `blobs` of an earlier one make this a restart. */
export async function openStory(options: {
  count: number;
  config?: TaskConfig;
  store?: Store;
  blobs?: Blobs;
  policy?: Partial<Policy>;
  /** Stores of the devices of an earlier story. */
  clientStores?: readonly ClientStore[];
  alter?: Alter;
  /** What a device has beyond the usual. */
  device?: (id: ClientId) => Partial<DeviceOptions>;
  unmasker?: Unmasker;
  sums?: GroupSums;
  upload?: Uploading;
  openAgainMs?: number;
}): Promise<Story> {
  const { count, config = taskConfig(), store = memoryStore(), blobs = memoryBlobs(nodeCrypto) } = options;
  const clock = manualClock(1_000_000);
  const wall = { aheadMs: 0 };
  const queue: { to: number; message: CoordinatorMessage }[] = [];
  const index = new Map<ClientId, number>();
  const coordination = await createCoordination({
    tasks: [config],
    store,
    blobs,
    clock: { ...clock, now: () => clock.now() + wall.aheadMs },
    random: systemRandom(),
    selection: seededRandom('stories'),
    crypto: nodeCrypto,
    keyPair: COORDINATOR_KEY,
    ...(options.unmasker === undefined ? {} : { unmasker: options.unmasker }),
    ...(options.sums === undefined ? {} : { sums: options.sums }),
    ...(options.openAgainMs === undefined ? {} : { openAgainMs: options.openAgainMs }),
    outbox: { send: (client, message) => void queue.push({ to: index.get(client) as number, message }) },
  });
  const events: CoordinationEvent[] = [];
  coordination.subscribe((event) => void (event.type !== 'progress' && events.push(event)));
  const clients = Array.from({ length: count }, (_, number): StoryClient => {
    const identity = nodeCrypto.signKeyPairFromSeed(nodeCrypto.digest('story client', utf8(String(number))));
    const random = seededRandom('delta').fork(number);
    const delta = Float32Array.from({ length: config.model.layout.length }, () => random.normal() / 20);
    const clientStore = options.clientStores?.[number] ?? memoryClientStore();
    const id = clientIdOf(identity.publicKey, nodeCrypto);
    index.set(id, number);
    return {
      id,
      identity,
      store: clientStore,
      delta,
      device: openStoryDevice(identity, clientStore, delta, number),
      sent: [],
      declined: [],
      heard: [],
    };
  });

  function openStoryDevice(
    identity: KeyPair,
    clientStore: ClientStore,
    delta: Float32Array,
    number: number,
  ): Device {
    const task = coordination.taskInfo('films');
    if (task === undefined) throw new Error('no task');
    return createDevice({
      identity,
      task,
      model: config.model,
      store: clientStore,
      models: {
        open: async () => fixedModel(delta),
        async openSlice({ slice }, read) {
          const { rows, model } = read((await blobs.get(slice!.blobHash))!);
          return { rows, loaded: fixedModel(delta.slice(0, model.layout.length)) };
        },
      },
      data: async () => ({
        positives: keepLocal(Int32Array.of(1, 2)),
        heldOut: keepLocal({ item: 3, candidates: Int32Array.of(4, 5) }),
      }),
      crypto: nodeCrypto,
      random: systemRandom(),
      words: (purpose, attempt) => seededRandom('words').fork(purpose, attempt, number),
      seeds: (attempt) => seededRandom('seeds').fork(attempt, number),
      policy: {
        ...DEFAULT_POLICY,
        smallestCohort: 2,
        insecureSmallCohort: true,
        allowPlain: config.protection === 'plain',
        authorities: [toHex(AUTHORITY_KEY.publicKey)],
        ...options.policy,
      },
      nowMs: () => clock.now(),
      token: async ({ clientId }) =>
        issueToken({ clientId, expiresAt: TOKENS_END }, AUTHORITY_KEY, nodeCrypto),
      ...options.device?.(clientIdOf(identity.publicKey, nodeCrypto)),
    });
  }

  async function say(client: StoryClient, message: DeviceMessage): Promise<void> {
    if (message.type === 'masked-input') {
      const { attempt, words, wordBits } = message;
      const frames = Array.from({ length: frameCount(words.length, wordBits) }, (_, index) =>
        frameOf(attempt, words as MaskedInput, index, wordBits),
      );
      // Coordination wipes what it was given: over a wire that is its own.
      const send = (frame: Frame): Promise<Reply> =>
        coordination.handle(client.id, { ...frame, bytes: frame.bytes.slice() });
      client.sent.push(...frames.map((frame) => encodeMessage(frame)));
      if (options.upload !== undefined) await options.upload(clients.indexOf(client), frames, send);
      else for (const frame of frames) await send(frame);
      return;
    }
    if (message.type === 'decline') client.declined.push(message.reason);
    client.sent.push(encodeMessage<never>(message as never));
    await coordination.handle(client.id, message);
  }

  async function settle(): Promise<void> {
    await turn();
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const client = clients[next.to] as StoryClient;
      const message = options.alter?.(next.to, next.message) ?? next.message;
      client.heard.push(message);
      if (client.silentFrom === message.type) client.silentFrom = message.type;
      else for (const answer of await client.device.handle(message)) await say(client, answer);
      await turn();
    }
  }

  return {
    coordination,
    clock,
    wall,
    store,
    blobs,
    clients,
    events,
    settle,
    restart: ({ identity, store: clientStore, delta, id }) =>
      openStoryDevice(identity, clientStore, delta, index.get(id) as number),
    async gather() {
      for (const { id } of clients) coordination.connected('films', id);
      for (const { id } of clients) await coordination.handle(id, { type: 'check-in' });
      await turn();
    },
    async untilEnd() {
      const before = events.length;
      const ended = (): CoordinationEvent | undefined =>
        events
          .slice(before)
          .find(({ type }) => ['committed', 'aborted', 'evaluated', 'compared'].includes(type));
      for (let steps = 0; ended() === undefined && steps < 50; steps++) {
        await settle();
        if (ended() === undefined) clock.advanceToNext();
        await turn();
      }
      const event = ended();
      if (event === undefined) throw new Error('the attempt did not end');
      return event;
    },
  };
}

/** Lets promises that are ready go on. */
const turn = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** The mean of the deltas of `clients`, as FedAvg applies it. */
export function meanDelta(clients: readonly StoryClient[]): Float64Array {
  const sum = new Float64Array(clients[0]?.delta.length ?? 0);
  for (const { delta } of clients) delta.forEach((value, i) => (sum[i] = (sum[i] as number) + value));
  return sum.map((value) => value / clients.length);
}

/** An answer of the coordinator that must be a refusal. */
export function refusalOf(reply: Reply): string {
  return reply.type === 'refused' ? reply.reason : `not refused: ${reply.type}`;
}

/** The checkpoint's change in the last committed round. */
export async function change(story: Story, record: RoundRecord): Promise<Float64Array> {
  const { layout } = taskConfig().model;
  const read = async (hash: string): Promise<Float32Array> =>
    decodeCheckpoint(await story.blobs.get(hash), layout).shared;
  const [before, after] = [await read(record.previousModelHash), await read(record.modelHash)];
  return Float64Array.from(after, (value, i) => value - (before[i] as number));
}

/** The record of a round that must have been committed. */
export function committed(event: CoordinationEvent): RoundRecord {
  if (event.type !== 'committed')
    throw new Error(`ended as ${event.type}: ${'reason' in event ? event.reason : ''}`);
  return event.record;
}

/** What the round changed is the mean of what its clients gave, but for rounding. */
export function expectClose(actual: Float64Array, expected: Float64Array): void {
  // One client's rounding error is below one ring unit, 2^-20 of the clipping norm; float32 weights add 2^-24 of themselves.
  actual.forEach((value, i) => expect(Math.abs(value - (expected[i] as number))).toBeLessThan(4e-6));
}

/** The list without its last survivor that is not `client`, under the coordinator's own signature. */
export function withOneLess(
  { clients }: Story,
  client: StoryClient,
  message: CoordinatorMessageOf<'survivors'>,
): CoordinatorMessageOf<'survivors'> {
  const described = client.heard.find((heard) => heard.type === 'describe');
  if (described === undefined) throw new Error('no description');
  const order = clients.map(({ id }) => id).sort();
  const at = order.findLastIndex((id) => id !== client.id);
  const survivors = message.survivors.map((byte, i) => (i === at >> 3 ? byte & ~(1 << (at & 7)) : byte));
  const group = Uint8Array.of(message.group & 0xff, message.group >>> 8);
  const digest = roundDigest(described.description, nodeCrypto);
  const signed = phaseDigest('survivors', digest, [group, survivors], nodeCrypto);
  return { ...message, survivors, signature: nodeCrypto.sign(signed, COORDINATOR_KEY.secretKey) };
}
