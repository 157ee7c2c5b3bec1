import {
  decodeJournalEntry,
  memoryBlobs,
  memoryStore,
  type JournalEntry,
  type PromotionPolicy,
  type TaskStatus,
} from '@tutti/coordination';
import type { TaskInfo } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { gatewayRegistry } from './gateway-registry.ts';
import type { GatewayTask } from './gateway-task.ts';
import { TaskView } from './task-view.ts';

const hash = (digit: string): string => digit.repeat(64);
const hashes = { layoutHash: hash('a'), catalogueHash: hash('b') };
const policy: PromotionPolicy = {
  ...{ every: 1, canaryShare: 0.2, metric: 'hr@10', margin: 0.02, confidence: 0.95 },
  ...{ minClients: 100, maxRounds: 5, undecided: 'rollback' },
};

const funnel = (attempt: number) => ({
  ...{ round: 1, attempt, identity: 'open', endedAtMs: attempt, durationMs: 1 },
  ...{ selected: 40, ready: 40, cohort: 40, reported: 40, groups: 1, dropped: [], declined: {} },
  ...{ upBytes: 0, downBytes: 0 },
});

const entry = (type: string, rest: object): JournalEntry => decodeJournalEntry({ v: 1, type, ...rest });
const promoted = (channel: string, manifest: string, modelHash: string): JournalEntry =>
  entry('model-promoted', { atMs: 1, channel, step: 'promote', manifest, modelHash, by: 'policy' });
const look = (attempt: number, sequence: number, gained: number): JournalEntry => {
  const comparison = { sequence, metric: 'hr@10', people: 40, gained, lost: 0, squared: gained, noise: 0 };
  return entry('compared', { release: null, record: { ...funnel(attempt), comparison } });
};

/** A journal of a first model and one of a round, and a gateway's registry that reads it. */
function openJournal() {
  const store = memoryStore();
  const view = new TaskView('films', store);
  const config = { name: 'films', promotion: policy };
  const ports = { crypto: nodeCrypto, blobs: memoryBlobs(nodeCrypto), store };
  const keyPair = nodeCrypto.signKeyPairFromSeed(new Uint8Array(32).fill(7));
  const registry = gatewayRegistry(config, { view } as GatewayTask, ports, keyPair);
  let length = 0;
  return {
    registry,
    /** Writes entries, and tells of them as an owner does, or of none of them. */
    async write(entries: readonly JournalEntry[], told: { attempt: number; promotions: number }) {
      await store.appendJournal('films', length, entries);
      length += entries.length;
      const info = { round: 1, modelHash: hash('d'), promotions: told.promotions } as TaskInfo;
      const status = { round: 1, attempt: told.attempt } as TaskStatus;
      await new Promise<void>((done) => {
        const event = { type: 'progress', task: 'films', status } as const;
        view.hear({ info, status, event }, () => done());
      });
    },
  };
}

describe('the models of a task that another process runs', () => {
  it('have how a candidate is being judged, after each look', async () => {
    const { registry, write } = openJournal();
    const metrics = { hr10: null, ndcg10: null, evaluated: 0 };
    const figures = { loss: null, metrics, clippedShare: null, epsilon: null };
    const record = { ...funnel(1), modelHash: hash('d'), previousModelHash: hash('c'), ...figures };
    const round = entry('round-committed', { record, strategyHash: hash('e'), release: null });
    const created = entry('task-created', { atMs: 0, ...hashes, modelHash: hash('c') });
    await write([created, round], { attempt: 1, promotions: 0 });
    const [candidate, incumbent] = (await registry.models()).map((model) => model.hash) as [string, string];
    const canary = promoted('canary', candidate, hash('d'));
    await write([promoted('stable', incumbent, hash('c')), canary], { attempt: 1, promotions: 2 });
    const judged = async () => (await registry.find(candidate))?.judged;
    expect(await judged()).toMatchObject({ verdict: 'continue', people: 0, looks: 0 });

    await write([look(2, 2, 30)], { attempt: 2, promotions: 2 });
    // 30 of 40 gained: the mean is 30 / 42, as if two more had been there of whom one gained and one lost half.
    const after = await judged();
    expect(after).toMatchObject({ verdict: 'continue', people: 40, looks: 1, candidate, incumbent });
    expect(after?.difference).toBeCloseTo(30 / 42, 12);
    await write([look(3, 2, 20)], { attempt: 3, promotions: 2 });
    expect(await judged()).toMatchObject({ people: 80, looks: 2 });
    expect((await registry.find(incumbent))?.judged).toBeNull();
  });
});
