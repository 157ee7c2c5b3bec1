import { keepLocal, seededRandom, systemRandom, toHex } from '@tutti/base';
import { createModel, resolveModelConfig, type LoadedModel } from '@tutti/model';
import { phaseDigest, roundDigest, type CoordinatorMessage, type RoundDescription } from '@tutti/protocol';
import { portableCrypto as crypto } from '@tutti/secure-aggregation/portable';
import { describe, expect, it } from 'vitest';
import { createDevice } from './device.ts';
import { createHostedDevice } from './hosted.ts';
import { memoryClientStore } from './memory-store.ts';
import { DEFAULT_POLICY } from './policy.ts';
import type { DeviceMessage, DeviceOptions } from './ports.ts';

const [ITEMS, D] = [40, 2];
const model = createModel(
  resolveModelConfig({ family: 'mf', dimension: D }, { items: ITEMS, meanHistory: 5 }),
  ITEMS,
);
const LANES = model.layout.length;
const coordinator = crypto.signKeyPair(systemRandom());

/** A model that moves two ranges of the table, further with each time that a person trained. */
const moving = (over: Partial<LoadedModel> = {}): LoadedModel => ({
  train: async (local) => ({
    ...{ delta: Float32Array.of(0.5, -0.25, 0.125, 1), ranges: keepLocal(Int32Array.of(4, 2, 10, 2)) },
    local: keepLocal(Float32Array.from(local ?? [0, 0], (value) => value + 1)),
    ...{ loss: 1, examples: 2, touchedRows: keepLocal(Int32Array.of(2, 5)) },
  }),
  personalize: async (before) => before ?? keepLocal(new Float32Array(D)),
  score: async () => keepLocal(Float32Array.of(2, 1, 3)),
  rank: () => Promise.reject(new Error('nobody asks')),
  dispose: () => undefined,
  ...over,
});

const described = (over: Partial<RoundDescription> = {}): RoundDescription => ({
  ...{ protocol: 2, task: 'films', round: 1, attempt: 1, purpose: 'train', protection: 'plain' },
  ...{ mode: 'semi-honest', identity: { level: 'open' }, previousDigest: '00'.repeat(32) },
  ...{ modelHash: '11'.repeat(32), layoutHash: '22'.repeat(32), catalogueHash: '44'.repeat(32) },
  lanes: { delta: LANES, rowCounts: 0, metrics: ['loss', 'hr10'], length: LANES + 4 },
  ...{ scale: { delta: 1_000, weight: 64, metric: 64 }, clippingNorm: 1, wordBits: 32, clipIndicator: true },
  noise: { mechanism: 'none' },
  cohort: { planned: 20, smallest: 16, largestGroup: 128 },
  graph: { corruptPermille: 50, dropoutPermille: 50, largestComplete: 128 },
  deadlinesMs: {
    ...{ train: 1_000, revealNonces: 1_000, shareKeys: 1_000 },
    ...{ maskedInput: 1_000, survivors: 1_000, unmask: 1_000 },
  },
  ...over,
});

function options(loaded: LoadedModel | undefined, ranged: boolean): DeviceOptions {
  return {
    identity: crypto.signKeyPair(systemRandom()),
    task: {
      ...{ protocol: 2, task: 'films', coordinatorKey: toHex(coordinator.publicKey), items: ITEMS, round: 0 },
      ...{ model: { ...model.config }, catalogueHash: '44'.repeat(32), layoutHash: '22'.repeat(32) },
      modelHash: '11'.repeat(32),
    },
    model,
    store: memoryClientStore(),
    models: {
      open: async () => loaded ?? Promise.reject(new Error('there is none')),
      openSlice: () => Promise.reject(new Error('there are no slices')),
    },
    data: async () => ({
      positives: keepLocal(Int32Array.of(1, 2)),
      heldOut: keepLocal({ item: 3, candidates: Int32Array.of(4, 5) }),
    }),
    crypto,
    random: systemRandom(),
    words: (purpose, attempt) => seededRandom('words').fork(purpose, attempt),
    seeds: (attempt) => seededRandom('seeds').fork(attempt),
    policy: { ...DEFAULT_POLICY, allowPlain: true, insecureSmallCohort: true, smallestCohort: 2 },
    ...(ranged
      ? { rangedInputs: () => ({ words: (n) => new Uint32Array(n), ranges: (n) => new Int32Array(n) }) }
      : {}),
    nowMs: () => 0,
  };
}

/** What a device that is told everything answers in the end. */
async function told(made: DeviceOptions, description: RoundDescription): Promise<DeviceMessage | undefined> {
  const device = createDevice(made);
  const digest = roundDigest(description, crypto);
  const sign = (type: string, body: Uint8Array[]): Uint8Array =>
    crypto.sign(phaseDigest(type, digest, body, crypto), coordinator.secretKey);
  const shares = new Uint8Array(0);
  const messages: CoordinatorMessage[] = [
    { type: 'describe', description, signature: sign('describe', []) },
    {
      ...{ type: 'relay-shares', attempt: description.attempt, group: 0, shares },
      signature: sign('relay-shares', [new Uint8Array(2), shares]),
    },
  ];
  let last: DeviceMessage | undefined;
  for (const message of messages) last = (await device.handle(message))[0];
  return last;
}

describe('a hosted device', () => {
  it.each([true, false])(
    'gives and keeps what one gives that is told everything (ranges: %s)',
    async (ranged) => {
      const [there, here] = [options(moving(), ranged), options(moving(), ranged)];
      const hosted = createHostedDevice(here);
      for (const attempt of [1, 2]) {
        const description = described({ attempt });
        const answer = await told(there, description);
        if (answer?.type !== 'masked-input') throw new Error(`the device said ${answer?.type}`);
        const given = await hosted.contribute(description);
        expect(given).toMatchObject({ input: answer.words });
        expect('ranges' in given ? given.ranges : undefined).toEqual(answer.ranges);
      }
      const table = { loaded: moving() };
      const vector = await hosted.vector(table);
      expect(vector).toEqual(await createDevice(there).vector(table));
      // Two times it trained, from the vector that it had kept.
      expect(Array.from(vector)).toEqual([2, 2]);
    },
  );

  it('keeps no vector of a measurement', async () => {
    const hosted = createHostedDevice(options(moving(), false));
    const lanes = { delta: 0, rowCounts: 0, metrics: ['hr10', 'evaluated'], length: 4 };
    const given = await hosted.contribute(described({ purpose: 'evaluate', lanes, clipIndicator: false }));
    // Second of three: in the first ten, and somebody was measured.
    expect(given).toMatchObject({ input: Uint32Array.of(64, 0, 64, 64) });
    expect(Array.from(await hosted.vector({ loaded: moving() }))).toEqual([0, 0]);
  });

  it('says why it gives nothing, as one says that is told everything', async () => {
    const failing = moving({ train: () => Promise.reject(new Error('out of memory')) });
    for (const [loaded, reason] of [
      [undefined, 'wrong-model'],
      [failing, 'training-failed'],
    ] as const) {
      const hosted = createHostedDevice(options(loaded, false));
      expect(await hosted.contribute(described())).toEqual({ declined: reason });
      expect(await told(options(failing, false), described())).toMatchObject({ reason: 'training-failed' });
    }
  });
});
