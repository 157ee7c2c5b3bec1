import { systemRandom, type Ranges } from '@tutti/base';
import {
  createDevice,
  createHostedDevice,
  memoryClientStore,
  type Device,
  type DeviceOptions,
  type HostedDevice,
} from '@tutti/client';
import { openNodeEngine } from '@tutti/engine-simd/node';
import { checkedDefinition, createModel, type Model } from '@tutti/model';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { importDefinition } from './import-definition.ts';
import { notedDefinition } from './noted-definition.ts';
import { attemptOf, fallsSilent } from './dropout.ts';
import { simulatedAuthority } from './identity.ts';
import type { FetchBlob } from './device-pool.ts';
import { addStoredInPlace, readStored, recordedStores, type RecordedStores } from './recorded-store.ts';
import { replayableRandom, type ReplayableRandom } from './replayable-random.ts';
import { rankOne } from './ranking.ts';
import { RunningSums } from './running-sums.ts';
import { simulatedDevice } from './simulated-device.ts';
import { threadModels } from './thread-models.ts';
import { threadCrypto } from './thread-crypto.ts';
import { uploadBytes } from './upload-bytes.ts';
import type {
  Answer,
  ContributionRequest,
  Declining,
  Delivery,
  GroupKey,
  ThreadAnswers,
  ThreadSetup,
} from './thread.ts';

/** The devices of one thread. Each has its identity, its store and its vector; they share one engine. */
export interface DeviceHost {
  readonly backend: string;
  readonly notes: readonly string[];
  deliver(deliveries: readonly Delivery[], turn?: number): Promise<{ user: number; answers: Answer[] }[]>;
  /** Trains members of a plain attempt for their groups' sums, with no message to any. @returns those who declined. */
  contribute(asked: ContributionRequest): Promise<readonly Declining[]>;
  takeSum(key: GroupKey): Uint32Array | undefined;
  rank(users: readonly number[], modelHash: string): Promise<ThreadAnswers['rank']>;
  /** What devices stored since this was last asked. */
  keep(): Uint8Array;
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
  const { stores, draws } = movableParts(setup);
  const groups = new Map<number, number>();
  const authority = simulatedAuthority(setup.seed);
  const sums = new RunningSums();
  const openSliced = async (part: Model) => (await openNodeEngine({ model: part, ...choice })).engine;
  const models = threadModels(engine, model, { fetchBlob, openSliced });
  const parts = { model, models, crypto, random: draws.random, authority, inputs: sums.inputs };
  const optionsOf = once<DeviceOptions>((user) =>
    simulatedDevice(setup, user, { ...parts, store: stores.open(user) }),
  );
  /** Both of a user's are one device: they share what it stored. */
  const deviceOf = once<Device>((user) => createDevice(optionsOf(user)));
  const hostedOf = once<HostedDevice>((user) => createHostedDevice(optionsOf(user)));

  async function deliverOne({ user, message }: Delivery): Promise<{ user: number; answers: Answer[] }> {
    const attempt = attemptOf(message);
    if (fallsSilent(setup.seed, setup.dropout, attempt, user, message.type, setup.protocol))
      return { user, answers: [] };
    if (message.type === 'describe') beginSums(attempt);
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
  let summing = 0;
  /** What was added for an attempt after it was given up, nobody takes. */
  function beginSums(attempt: number): void {
    if (attempt === summing) return;
    summing = attempt;
    sums.drop((name) => !name.startsWith(`${attempt}/`));
  }

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
    async contribute({ description, members }) {
      const { attempt, lanes } = description;
      beginSums(attempt);
      const declining: Declining[] = [];
      for (const [user, group] of members) {
        const trained = await hostedOf(user).contribute(description);
        if (thrown !== undefined) throw thrown;
        if ('declined' in trained) declining.push({ user, reason: trained.declined });
        else sums.add(nameOf({ attempt, group }), trained.input, lanes.length, trained.ranges);
      }
      return declining;
    },
    takeSum: (key) => sums.take(nameOf(key)),
    async rank(users, modelHash) {
      const global = await models.open(modelHash);
      const results = [];
      for (const user of users) {
        const vector = await hostedOf(user).vector({ loaded: global });
        const person = rankOne(await global.score(vector), setup.population, user);
        if (person !== undefined) results.push(person);
      }
      return results;
    },
    keep: () => stores.takeWritten(),
  };
}

/** What is made of each user once. */
function once<Made>(make: (user: number) => Made): (user: number) => Made {
  const all = new Map<number, Made>();
  return (user) => {
    const known = all.get(user);
    if (known !== undefined) return known;
    const made = make(user);
    all.set(user, made);
    return made;
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
