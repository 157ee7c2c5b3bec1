import { systemRandom, utf8 } from '@tutti/base';
import {
  JOURNAL_VERSION,
  manualClock,
  memoryBlobs,
  memoryStore,
  type TaskConfig,
  type TaskLease,
} from '@tutti/coordination';
import { createModel, resolveModelConfig } from '@tutti/model';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { expect, it } from 'vitest';
import type { Bus } from './bus.ts';
import { OwnedTask } from './owned-task.ts';
import type { NodeId } from './sealing.ts';
import { TAKE_OVER_MS, timingOf } from './timing.ts';

const GATEWAY = 'a'.repeat(32) as NodeId;

const config: TaskConfig = {
  name: 'films',
  model: createModel(resolveModelConfig({ family: 'mf', dimension: 4 }, { items: 10, meanHistory: 3 }), 10),
  catalogue: utf8('{}'),
  strategy: { name: 'fedavg' },
  ...{ clippingNorm: 1, rounds: 10, seed: '1', keepCheckpoints: 1, protection: 'secure' },
  cohort: { planned: 40, smallest: 16, largestGroup: 128, overselection: 1.3 },
  deadlinesMs: { train: 1, shareKeys: 1, maskedInput: 1, unmask: 1 },
  noise: { multiplier: 0, metricMultiplier: 0 },
};

async function openOwned(
  tell: (to: NodeId, kind: string, packet: { head: unknown }) => void,
  store = memoryStore(),
) {
  const bus = { tell } as unknown as Bus;
  const blobs = memoryBlobs(nodeCrypto);
  const lease: TaskLease = {
    ...{ task: 'films', epoch: 1, store, blobs },
    renew: async () => true,
    release: async () => undefined,
  };
  const task = new OwnedTask({
    ...{ config, lease, bus, timing: timingOf(TAKE_OVER_MS) },
    coordination: {
      ...{ tasks: [], store, blobs, clock: manualClock(), random: systemRandom(), crypto: nodeCrypto },
      outbox: { send: () => undefined },
    },
    gateways: () => [GATEWAY],
    salt: () => '',
    onLost: () => undefined,
  });
  await task.open();
  return task;
}

it('tells gateways of the attempt that the owner before left open', async () => {
  const store = memoryStore();
  await (await openOwned(() => undefined, store)).abandon();
  const opened = { v: JOURNAL_VERSION, type: 'attempt-opened', atMs: 0, round: 1, attempt: 1 } as const;
  const rest = { identity: 'open', purpose: 'train', digest: '0'.repeat(64) } as const;
  const { length } = await store.readJournal('films');
  await store.appendJournal('films', length, [{ ...opened, ...rest }]);
  const news: unknown[] = [];
  const task = await openOwned((_to, kind, { head }) => void (kind === 'news' && news.push(head)), store);
  const aborted = { type: 'aborted', task: 'films', reason: 'coordinator-restarted', record: { attempt: 1 } };
  expect(news[0]).toMatchObject({ epoch: 1, event: aborted });
  await task.abandon();
});

it('tells a gateway that serves a task later than it told of it how that task stands, once it says who is there', async () => {
  const told: string[] = [];
  const task = await openOwned((to, kind) => void told.push(`${kind} to ${to}`));
  // The gateway does not have the task yet: this is lost on it.
  expect(told.splice(0)).toContain(`news to ${GATEWAY}`);
  task.roster(GATEWAY, { task: 'films', clients: [] });
  expect(told).toEqual([`news to ${GATEWAY}`]);
  await task.abandon();
});
