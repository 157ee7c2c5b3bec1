import {
  keepLocal,
  seededRandom,
  systemRandom,
  type LocalOnly,
  type Ranges,
  type SecureRandom,
} from '@tutti/base';
import {
  createDevice,
  DEFAULT_POLICY,
  memoryClientStore,
  type ClientStore,
  type Device,
  type Models,
  type OpenTable,
  type RangedInputs,
} from '@tutti/client';
import { openNodeEngine } from '@tutti/engine-simd/node';
import {
  checkedDefinition,
  createModel,
  decodeCheckpoint,
  type HeldOutItem,
  type LoadedModel,
  type TrainingEngine,
} from '@tutti/model';
import { frameCount, wordBytes } from '@tutti/protocol';
import type { CryptoSuite, KeyPair, WordBits } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { importDefinition } from './import-definition.ts';
import { notedDefinition } from './noted-definition.ts';
import { fallsSilent } from './dropout.ts';
import { simulatedAuthority, simulatedIdentity, type SimulatedAuthority } from './identity.ts';
import { rowOf, type SharedHeldOut } from './population.ts';
import type { FetchBlob } from './device-pool.ts';
import { addStoredInPlace, readStored, recordedStores, type RecordedStores } from './recorded-store.ts';
import { replayableRandom, type ReplayableRandom } from './replayable-random.ts';
import { rankOne } from './ranking.ts';
import { RunningSums } from './running-sums.ts';
import { threadCrypto } from './thread-crypto.ts';
import type { Answer, Delivery, GroupKey, ThreadAnswers, ThreadSetup } from './thread.ts';

/** The devices of one thread. Each has its identity, its store and its vector; they share one engine. */
export interface DeviceHost {
  readonly backend: string;
  readonly notes: readonly string[];
  deliver(deliveries: readonly Delivery[], turn?: number): Promise<{ user: number; answers: Answer[] }[]>;
  takeSum(key: GroupKey): Uint32Array | undefined;
  rank(users: readonly number[], modelHash: string): Promise<ThreadAnswers['rank']>;
  /** What devices stored since this was last asked. */
  keep(): Uint8Array;
}

/** Bytes of a frame's header. */
const FRAME_HEADER_BYTES = 100;

/** Bytes that a vector of `words` words costs on a wire. */
const uploadBytes = (words: number, wordBits: WordBits): number =>
  wordBytes(wordBits) * words + FRAME_HEADER_BYTES * frameCount(words, wordBits);

/** Memory that serves one input after another: each is added up before the next one is made. */
function inputRoom(): RangedInputs {
  let words = new Uint32Array(0);
  let ranges = new Int32Array(0);
  return {
    words(count) {
      if (words.length < count) words = new Uint32Array(2 * count);
      return words.subarray(0, count);
    },
    ranges(count) {
      if (ranges.length < count) ranges = new Int32Array(2 * count);
      return ranges.subarray(0, count);
    },
  };
}

/** Lanes of an input; the last of its ranges ends where it does. */
const lengthOf = (words: Uint32Array, ranges: Ranges | undefined): number =>
  ranges === undefined ? words.length : (ranges.at(-2) as number) + (ranges.at(-1) as number);

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/** Opens an engine and hosts devices on it. */
export async function openDeviceHost(setup: ThreadSetup, fetchBlob: FetchBlob): Promise<DeviceHost> {
  const model = createModel(setup.model, setup.population.items);
  /** What an app's own model threw. A device declines then; a simulation is there to find such things. */
  let thrown: Error | undefined;
  const { definition } = await importDefinition(setup);
  const own =
    definition === undefined
      ? {}
      : {
          definition: notedDefinition(checkedDefinition(definition), (error) => (thrown ??= asError(error))),
        };
  const choice = {
    engine: setup.engine,
    backend: setup.backend,
    kernel: setup.kernel,
    oneAfterAnother: true,
    ...own,
  };
  const { engine, notes } = await openNodeEngine({ model, ...choice });
  const crypto = threadCrypto(nodeCrypto);
  const devices = new Map<number, Device>();
  const { stores, draws } = movableParts(setup);
  const groups = new Map<number, number>();
  const authority = simulatedAuthority(setup.seed);
  const sums = new RunningSums();
  let loaded: { hash: string; model: LoadedModel } | undefined;
  /** Every slice of a task has as many rows, so one engine does for all. */
  let sliceEngine: TrainingEngine | undefined;
  let opened: { attempt: number; table: OpenTable } | undefined;
  const rangedInputs = inputRoom();

  const models: Models = {
    async open(hash) {
      if (loaded?.hash === hash) return loaded.model;
      const bytes = await fetchBlob(hash);
      loaded?.model.dispose();
      loaded = undefined;
      loaded = { hash, model: await engine.load(decodeCheckpoint(bytes, model.layout).shared) };
      return loaded.model;
    },
    async openSlice({ slice, attempt }, read) {
      if (opened?.attempt === attempt) return opened.table;
      const part = read((await fetchBlob(slice?.blobHash ?? '')) ?? new Uint8Array(0));
      opened?.table.loaded.dispose();
      opened = undefined;
      sliceEngine ??= (await openNodeEngine({ model: part.model, ...choice })).engine;
      const table = { rows: part.rows, loaded: await sliceEngine.load(part.shared, part.whole) };
      opened = { attempt, table };
      return table;
    },
  };

  function deviceOf(user: number): Device {
    const known = devices.get(user);
    if (known !== undefined) return known;
    const { random } = draws;
    const parts = { models, store: stores.open(user), crypto, random, authority, rangedInputs };
    const device = openDevice(setup, user, model, parts);
    devices.set(user, device);
    return device;
  }

  async function deliverOne({ user, message }: Delivery): Promise<{ user: number; answers: Answer[] }> {
    const attempt =
      message.type === 'describe' ? message.description.attempt : 'attempt' in message ? message.attempt : 0;
    if (fallsSilent(setup.seed, setup.dropout, attempt, user, message.type, setup.protocol))
      return { user, answers: [] };
    if (message.type === 'relay-shares') groups.set(user, message.group);
    const device = deviceOf(user);
    const answers: Answer[] = [];
    for (const answer of await device.handle(message)) {
      if (answer.type !== 'masked-input') {
        answers.push(answer);
        continue;
      }
      const { words, ranges, wordBits } = answer;
      const length = lengthOf(words, ranges);
      sums.add(nameOf({ attempt, group: groups.get(user) as number }), words, length, ranges);
      answers.push({ type: 'input-added', attempt, bytes: uploadBytes(length, wordBits) });
      // A plain attempt has no more to ask of it: its input need not wait for the outcome.
      if (ranges !== undefined) device.leave();
    }
    return { user, answers };
  }

  const nameOf = ({ attempt, group }: GroupKey): string => `${attempt}/${group}`;

  return {
    backend: engine.backend,
    notes,
    async deliver(deliveries, turn = 0) {
      const results = [];
      for (const [at, delivery] of deliveries.entries()) {
        draws.turnTo(turn, at);
        results.push(await deliverOne(delivery));
        if (thrown !== undefined) throw thrown;
      }
      return results;
    },
    takeSum: (key) => sums.take(nameOf(key)),
    async rank(users, modelHash) {
      const global = await models.open(modelHash);
      const results = [];
      for (const user of users) {
        const vector = await deviceOf(user).vector({ loaded: global });
        const person = rankOne(await global.score(vector), setup.population, user);
        if (person !== undefined) results.push(person);
      }
      return results;
    },
    keep: () => stores.takeWritten(),
  };
}

/** Stores and randomness: those of devices that stay here, or of such as can be made again elsewhere. */
function movableParts({ movable }: ThreadSetup): { stores: RecordedStores; draws: ReplayableRandom } {
  if (movable === undefined) {
    const stores = { open: memoryClientStore, takeWritten: () => new Uint8Array(0) };
    return { stores, draws: { random: systemRandom(), turnTo: () => undefined } };
  }
  const kept = new Map<number, Map<string, Uint8Array>>();
  addStoredInPlace(kept, readStored(movable.stored));
  return { stores: recordedStores(kept), draws: replayableRandom(movable.secret) };
}

/** What the devices of a thread share, and the store of each. */
interface DeviceParts {
  readonly models: Models;
  readonly store: ClientStore;
  readonly crypto: CryptoSuite;
  readonly random: SecureRandom;
  readonly authority: SimulatedAuthority;
  readonly rangedInputs: RangedInputs;
}

function openDevice(
  setup: ThreadSetup,
  user: number,
  model: ReturnType<typeof createModel>,
  { models, store, crypto, random, authority, rangedInputs }: DeviceParts,
): Device {
  const { population, seed } = setup;
  const stream = (...labels: (string | number)[]) => seededRandom(seed).fork('device', user, ...labels);
  let keyPair: KeyPair | undefined;
  return createDevice({
    // A plain attempt signs nothing, and making a key pair costs as much as training.
    get identity() {
      return (keyPair ??= simulatedIdentity(seed, user).keyPair);
    },
    task: setup.task,
    model,
    store,
    models,
    data: async () => ({
      positives: rowOf(population.train, user),
      ...ratingsOf(population, user),
      ...heldOutOf(population.validation, user),
    }),
    crypto,
    random,
    rangedInputs,
    words: (purpose, attempt) => stream(purpose, attempt),
    seeds: (attempt) => stream('training', attempt),
    // Time is virtual here, and nothing that a device keeps ends.
    nowMs: () => 0,
    token: async ({ clientId }) => authority.token(clientId),
    policy: {
      ...DEFAULT_POLICY,
      authorities: [authority.publicKey],
      largestClippingNorm: Number.POSITIVE_INFINITY,
      smallestCohort: setup.smallestCohort,
      allowPlain: setup.protocol === 'plain',
      // A simulation has nobody to protect from its own coordinator.
      trustCoordinatorNoise: true,
    },
  });
}

/** What a person gave their items, where the data hold ratings. */
function ratingsOf(
  { train: { offsets, ratings } }: ThreadSetup['population'],
  user: number,
): { ratings?: LocalOnly<Float32Array> } {
  return ratings === undefined
    ? {}
    : { ratings: keepLocal(ratings.subarray(offsets[user], offsets[user + 1])) };
}

function heldOutOf(heldOut: SharedHeldOut | undefined, user: number): { heldOut?: LocalOnly<HeldOutItem> } {
  const item = heldOut?.positives[user];
  if (heldOut === undefined || item === undefined || item < 0) return {};
  const rating = heldOut.ratings?.[user] ?? Number.NaN;
  return {
    heldOut: keepLocal({
      item,
      candidates: rowOf(heldOut.candidates, user),
      ...(Number.isNaN(rating) ? {} : { rating }),
    }),
  };
}
