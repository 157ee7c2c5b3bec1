import { keepLocal, secureWords, seededRandom, toHex, utf8, type SecureRandom } from '@tutti/base';
import {
  createDevice,
  DEFAULT_POLICY,
  memoryClientStore,
  type Device,
  type DeviceMessage,
} from '@tutti/client';
import {
  createCoordination,
  manualClock,
  memoryBlobs,
  memoryStore,
  type TaskConfig,
} from '@tutti/coordination';
import { openTrainingEngine } from '@tutti/engine-simd';
import { createModel, decodeCheckpoint, resolveModelConfig } from '@tutti/model';
import { frameCount, frameOf, type CoordinatorMessage } from '@tutti/protocol';
import { clientIdOf, type CryptoSuite, type MaskedInput } from '@tutti/secure-aggregation';

/** One round of real devices in memory, in which every random choice follows from a seed: what it sends must not depend on the runtime. */

const ITEMS = 60;
const CLIENTS = 4;

/** A stream of bytes that is no secret. */
function knownRandom(seed: string): SecureRandom {
  const random = seededRandom(seed);
  return { bytes: (length: number) => Uint8Array.from({ length }, () => random.int(256)) } as SecureRandom;
}

function taskConfig(): TaskConfig {
  const config = resolveModelConfig(
    { family: 'mlp', dimension: 8, hidden: [8] },
    { items: ITEMS, meanHistory: 9 },
  );
  return {
    name: 'films',
    model: createModel(config, ITEMS),
    catalogue: utf8(JSON.stringify({ ids: Array.from({ length: ITEMS }, (_, item) => `film-${item}`) })),
    strategy: { name: 'fedavg' },
    clippingNorm: 1,
    rounds: 1,
    cohort: { planned: CLIENTS, smallest: 3, largestGroup: 16, overselection: 1 },
    deadlinesMs: { train: 10_000, shareKeys: 5_000, maskedInput: 7_000, unmask: 3_000 },
    protection: 'secure',
    noise: { multiplier: 0.5, metricMultiplier: 0 },
    seed: 'same words',
    keepCheckpoints: 3,
    insecureSmallCohort: true,
  };
}

/** Digests of the masked vectors of a round, each client's after another. */
export async function maskedVectors(crypto: CryptoSuite): Promise<readonly string[]> {
  const config = taskConfig();
  const blobs = memoryBlobs(crypto);
  const queue: { to: number; message: CoordinatorMessage }[] = [];
  const identities = Array.from({ length: CLIENTS }, (_, i) =>
    crypto.signKeyPairFromSeed(crypto.digest('same client', utf8(String(i)))),
  );
  const ids = identities.map(({ publicKey }) => clientIdOf(publicKey, crypto));
  const clock = manualClock(1_000_000);
  const coordination = await createCoordination({
    tasks: [config],
    store: memoryStore(),
    blobs,
    clock,
    random: knownRandom('coordinator'),
    selection: seededRandom('selection'),
    crypto,
    keyPair: crypto.signKeyPairFromSeed(crypto.digest('same coordinator')),
    outbox: { send: (client, message) => void queue.push({ to: ids.indexOf(client), message }) },
  });
  const engine = await openTrainingEngine({ model: config.model });
  const task = coordination.taskInfo('films')!;
  const devices = identities.map((identity, i): Device => {
    const random = knownRandom(`device ${i}`);
    return createDevice({
      ...{ identity, task, model: config.model, store: memoryClientStore(), crypto, random },
      models: {
        open: async (hash) =>
          engine.load(decodeCheckpoint((await blobs.get(hash))!, config.model.layout).shared),
        openSlice: () => Promise.reject(new Error('there are no slices')),
      },
      data: async () => ({ positives: keepLocal(Int32Array.from({ length: 9 }, (_, k) => 5 * i + k)) }),
      words: () => secureWords(random),
      seeds: (attempt) => seededRandom(`${i} ${attempt}`),
      policy: { ...DEFAULT_POLICY, smallestCohort: 2, insecureSmallCohort: true },
      nowMs: () => clock.now(),
    });
  });
  const digests: string[] = [];
  async function say(from: number, answer: DeviceMessage): Promise<void> {
    if (answer.type !== 'masked-input') return void (await coordination.handle(ids[from]!, answer));
    const { attempt, words, wordBits } = answer;
    digests.push(
      `${from} ${words.length} ${toHex(crypto.digest('words', new Uint8Array(words.slice().buffer)))}`,
    );
    for (let frame = 0; frame < frameCount(words.length, wordBits); frame++)
      await coordination.handle(ids[from]!, frameOf(attempt, words as MaskedInput, frame, wordBits));
  }
  for (const id of ids) coordination.connected('films', id);
  for (const id of ids) await coordination.handle(id, { type: 'check-in' });
  for (let steps = 0; steps < 20 && coordination.rounds('films').length === 0; steps++) {
    await turn();
    if (queue.length === 0) clock.advanceToNext();
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      for (const answer of await devices[next.to]!.handle(next.message)) await say(next.to, answer);
      await turn();
    }
  }
  const committed = coordination.rounds('films').length;
  await coordination.close();
  return [`${committed} committed, trained by ${engine.engine}`, ...digests.sort()];
}

/** Lets promises that are ready go on. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
