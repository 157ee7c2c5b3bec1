import { systemRandom, utf8 } from '@tutti/base';
import { manualClock, memoryBlobs, memoryStore, type TaskConfig, type TaskLease } from '@tutti/coordination';
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

it('tells a gateway that serves a task later than it told of it how that task stands, once it says who is there', async () => {
  const told: string[] = [];
  const bus = { tell: (to: NodeId, kind: string) => void told.push(`${kind} to ${to}`) } as unknown as Bus;
  const [store, blobs] = [memoryStore(), memoryBlobs(nodeCrypto)];
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
  // The gateway does not have the task yet: this is lost on it.
  expect(told.splice(0)).toContain(`news to ${GATEWAY}`);
  task.roster(GATEWAY, { task: 'films', clients: [] });
  expect(told).toEqual([`news to ${GATEWAY}`]);
  await task.abandon();
});
