import { InternalError, systemRandom, utf8, type LocalOnly, type SeededRandom } from '@tutti/base';
import {
  createDevice,
  DEFAULT_POLICY,
  memoryClientStore,
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
  type TaskConfig,
} from '@tutti/coordination';
import { decodeCheckpoint, type LoadedModel, type Model } from '@tutti/model';
import {
  encodeMessage,
  frameCount,
  frameOf,
  type CoordinatorMessage,
  type RoundDescription,
} from '@tutti/protocol';
import { trainingStream } from './people.ts';
import { slicesFrom } from './slices.ts';
import { clientIdOf, type ClientId, type KeyPair, type MaskedInput } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';

/** One attempt at a round among real engines in this process, and everything that left the devices in it. */

export const TASK = 'audit';

/** One device of a recorded attempt. */
export interface RecordedClient {
  readonly id: ClientId;
  readonly user: number;
  /** Every message that it sent, as the bytes on the wire. */
  readonly sent: readonly Uint8Array[];
  /** The masked words that it sent, if it came so far. */
  readonly words: Uint32Array | undefined;
  /** Reasons for which it declined. */
  readonly declined: readonly string[];
}

/** What a coordinator says to one client, as the coordinator under audit says it: more, other, or less than it should. */
export type Says = (message: CoordinatorMessage, client: number) => readonly CoordinatorMessage[];

/** How an attempt is recorded. */
export interface AttemptSetup {
  readonly model: Model;
  readonly loaded: LoadedModel;
  /** Items of each client; their number is the cohort's. */
  readonly people: readonly { readonly user: number; readonly positives: LocalOnly<Int32Array> }[];
  readonly clippingNorm: number;
  readonly noiseMultiplier: number;
  /** Decides training, rounding and noise; never keys. */
  readonly random: SeededRandom;
  readonly policy?: Partial<Policy>;
  readonly says?: Says;
  /** Hears the clients' ids, in the order of `people`, before anything is said. */
  readonly onClients?: (ids: readonly ClientId[]) => void;
  /** What is other than usual about the task, or about one of the devices. */
  readonly task?: Partial<TaskConfig>;
  readonly device?: (client: ClientId, number: number) => Partial<DeviceOptions>;
  /** Ends the recording before the attempt ends, where what was looked for has been seen. */
  readonly enough?: (clients: readonly RecordedClient[]) => boolean;
  /** The coordinator's own key, for one that lies under its own signature. */
  readonly keyPair?: KeyPair;
}

/** A recorded attempt, and how it ended. */
export interface RecordedAttempt {
  readonly clients: readonly RecordedClient[];
  readonly ended: CoordinationEvent | undefined;
  /** The description, as the coordinator wrote it. */
  readonly description: RoundDescription | undefined;
  /** What everybody learns: the mean of the deltas with its noise, as the step from one published model to the next. */
  readonly meanDelta: Float64Array | undefined;
}

/** Identity of the client at a place of `people`: the same in every attempt. */
export const identityOf = (number: number): KeyPair =>
  nodeCrypto.signKeyPairFromSeed(nodeCrypto.digest('audited client', utf8(String(number))));

/** When attempts begin, in milliseconds since the epoch. */
export const START_MS = 1_000_000;

/** Steps of the clock after which an attempt counts as stuck. */
const MOST_STEPS = 50;

/** Plays one attempt: the same coordination and device engines as everywhere, without sockets. */
export async function recordAttempt(setup: AttemptSetup): Promise<RecordedAttempt> {
  const clock = manualClock(START_MS);
  const queue: { to: number; message: CoordinatorMessage }[] = [];
  const index = new Map<ClientId, number>();
  const blobs = memoryBlobs(nodeCrypto);
  let description: RoundDescription | undefined;
  const coordination = await createCoordination({
    tasks: [taskOf(setup)],
    store: memoryStore(),
    blobs,
    clock,
    random: systemRandom(),
    crypto: nodeCrypto,
    ...(setup.keyPair === undefined ? {} : { keyPair: setup.keyPair }),
    outbox: {
      send(client, message) {
        if (message.type === 'describe') description = message.description;
        queue.push({ to: index.get(client) as number, message });
      },
    },
  });
  const before = await weightsOf(coordination, blobs, setup.model);
  const events: CoordinationEvent[] = [];
  coordination.subscribe((event) => void events.push(event));
  const clients = setup.people.map((person, number) => openClient(person, number));
  setup.onClients?.(clients.map(({ id }) => id));
  for (const { id } of clients) coordination.connected(TASK, id);
  for (const { id } of clients) await coordination.handle(id, { type: 'check-in' });
  const isOver = (): boolean => events.some(isEnd) || setup.enough?.(clients) === true;
  for (let step = 0; step < MOST_STEPS && !isOver(); step++) {
    await settle();
    if (!isOver()) clock.advanceToNext();
    await turn();
  }
  if (setup.enough?.(clients) !== true) await settle();
  const ended = events.find(isEnd);
  const after = ended?.type === 'committed' ? await weightsOf(coordination, blobs, setup.model) : undefined;
  await coordination.close();
  const meanDelta =
    after === undefined ? undefined : Float64Array.from(after, (value, i) => value - (before[i] as number));
  return { clients, ended, description, meanDelta };

  function openClient(person: AttemptSetup['people'][number], number: number) {
    const identity = identityOf(number);
    const id = clientIdOf(identity.publicKey, nodeCrypto);
    index.set(id, number);
    const task = coordination.taskInfo(TASK);
    if (task === undefined) throw new InternalError('the recorded task is missing');
    const device = createDevice({
      identity,
      task,
      model: setup.model,
      store: memoryClientStore(),
      models: {
        open: async () => setup.loaded,
        openSlice: slicesFrom((hash) => blobs.get(hash)),
      },
      data: async () => ({ positives: person.positives }),
      crypto: nodeCrypto,
      random: systemRandom(),
      words: (purpose, attempt) => setup.random.fork(purpose, attempt, person.user),
      seeds: () => trainingStream(setup.random, person.user),
      nowMs: () => clock.now(),
      policy: { ...DEFAULT_POLICY, ...setup.policy },
      ...setup.device?.(id, number),
    });
    return { id, user: person.user, device, sent: [] as Uint8Array[], declined: [] as string[] } as Recorder;
  }

  async function settle(): Promise<void> {
    await turn();
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (setup.enough?.(clients) === true) return;
      const client = clients[next.to] as Recorder;
      for (const message of setup.says?.(next.message, next.to) ?? [next.message])
        for (const answer of await client.device.handle(message)) await pass(client, answer);
      await turn();
    }
  }

  async function pass(client: Recorder, answer: DeviceMessage): Promise<void> {
    if (answer.type === 'decline') client.declined.push(answer.reason);
    if (answer.type !== 'masked-input') {
      client.sent.push(encodeMessage<never>(answer as never));
      await coordination.handle(client.id, answer);
      return;
    }
    client.words = answer.words.slice();
    for (let frame = 0; frame < frameCount(answer.words.length, answer.wordBits); frame++) {
      const part = frameOf(answer.attempt, answer.words as MaskedInput, frame, answer.wordBits);
      client.sent.push(encodeMessage(part));
      await coordination.handle(client.id, part);
    }
  }
}

interface Recorder {
  readonly id: ClientId;
  readonly user: number;
  readonly device: Device;
  readonly sent: Uint8Array[];
  words: Uint32Array | undefined;
  readonly declined: string[];
}

const isEnd = ({ type }: CoordinationEvent): boolean => type === 'committed' || type === 'aborted';

/** The weights that the task's newest checkpoint holds. */
async function weightsOf(coordination: Coordination, blobs: Blobs, model: Model): Promise<Float32Array> {
  const bytes = await blobs.get(coordination.taskInfo(TASK)?.modelHash ?? '');
  if (bytes === undefined) throw new InternalError('the recorded task has no checkpoint');
  return decodeCheckpoint(bytes, model.layout).shared;
}

/** Lets promises that are ready go on. */
async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

function taskOf({ model, people, clippingNorm, noiseMultiplier, task }: AttemptSetup): TaskConfig {
  return {
    name: TASK,
    model,
    catalogue: utf8('{}'),
    strategy: { name: 'fedavg' },
    clippingNorm,
    rounds: 1,
    cohort: {
      planned: people.length,
      smallest: Math.min(16, people.length),
      largestGroup: 128,
      overselection: 1,
    },
    deadlinesMs: { train: 10_000, shareKeys: 5_000, maskedInput: 5_000, unmask: 5_000 },
    protection: 'secure',
    // Counted, so that no lane is released without noise: devices that ask for noise refuse others.
    noise: {
      multiplier: noiseMultiplier,
      metricMultiplier: noiseMultiplier,
      accounting: { dpDelta: 1e-5 },
    },
    seed: 'audit',
    keepCheckpoints: 1,
    selectionMs: 0,
    ...task,
  };
}
