import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '@tutti/base';
import { openWorker } from '@tutti/cluster-redis';
import { RegistryError, type CoordinationOptions, type Registry } from '@tutti/coordination';
import { openSharedPostgresStorage } from '@tutti/storage-postgres';
import type { TestServer } from '@tutti/storage-postgres/testing';
import { localUnmasker, type CryptoSuite } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createToken } from '@tutti/server';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finderOf, searchFiles, searchText, writings, type Pattern } from '../memory/scan.ts';
import {
  filmsTask,
  openNode,
  openPeople,
  startServers,
  TAKE_OVER_MS,
  until,
  type Node,
  type Servers,
} from './processes.ts';
import { recordRedis, type Recorder } from './recorder.ts';

let started: Servers | string = 'needs redis: it was not started';
const folder = mkdtempSync(join(tmpdir(), 'tutti-cluster-'));
beforeAll(async () => void (started = await startServers()), 60_000);
afterAll(async () => {
  if (typeof started !== 'string') await started.destroy();
  rmSync(folder, { recursive: true, force: true });
});

function servers(skip: (reason?: string) => never): Servers {
  return typeof started === 'string' ? skip(started) : started;
}

/** What devices mask: the sum of what goes in, and some bytes of each input that comes out. */
interface Watched {
  readonly sum: Uint32Array;
  readonly masked: Pattern[];
  /** What opens a survivor's input, beside its neighbours' secrets. */
  readonly seeds: Pattern[];
  stop(): void;
}

/** Bytes of a masked input that are looked for. */
const WINDOW_BYTES = 32;

function watchInputs(): Watched {
  const suite: { -readonly [Name in keyof CryptoSuite]: CryptoSuite[Name] } = nodeCrypto;
  const { addKeystreams, digest } = suite;
  const masked: Pattern[] = [];
  const sum = new Uint32Array(4_096);
  suite.addKeystreams = (target, streams) => {
    const isInput = (new Error().stack ?? '').includes('client-input');
    if (isInput) target.forEach((word, i) => (sum[i] = (sum[i] as number) + word));
    addKeystreams(target, streams);
    if (!isInput) return;
    // As words of four bytes, of the low three, and packed as they travel.
    for (const words of [target, target.map((word) => word & 0xffffff)]) {
      const bytes = new Uint8Array(words.slice(0, 64).buffer);
      masked.push({ label: 'a masked input', bytes: bytes.slice(40, 40 + WINDOW_BYTES) });
    }
    const packed = new Uint8Array(Uint32Array.from(target).buffer).filter((_, i) => i % 4 < 3);
    masked.push({ label: 'a masked frame', bytes: packed.slice(60, 60 + WINDOW_BYTES) });
  };
  const seeds: Pattern[] = [];
  suite.digest = (label, ...parts) => {
    if (label === 'commit-seed')
      seeds.push({ label: 'a self seed', bytes: (parts[1] as Uint8Array).slice() });
    return digest(label, ...parts);
  };
  const stop = (): void => void Object.assign(suite, { addKeystreams, digest });
  return { sum, masked, seeds, stop };
}

/** Sees sums as unmasking leaves them. */
function watchSums(sums: Uint32Array[]): (options: CoordinationOptions) => CoordinationOptions {
  return (options) => ({
    ...options,
    unmasker: {
      ...{ prepare: () => options.unmasker?.prepare(), close: async () => options.unmasker?.close() },
      async remove(sum, masks) {
        await options.unmasker?.remove(sum, masks);
        sums.push(sum.slice());
      },
    },
  });
}

describe('a cluster', () => {
  it('sums over two gateways and an owner what one process sums, to the last bit; no input leaves its gateway', async (ctx) => {
    const { redis, postgres } = servers((reason) => ctx.skip(reason));
    const store = await postgres.newDatabase();
    const wire = await recordRedis(redis.url);
    const sums: Uint32Array[] = [];
    const inputs = watchInputs();
    const shared = { redis: wire.url, store, tasks: [filmsTask(10, { rounds: 1 })] };
    const owner = await openNode({ ...shared, roles: ['owner'], watch: watchSums(sums) });
    const first = await openNode({ ...shared, roles: ['gateway'] });
    const second = await openNode({ ...shared, roles: ['gateway'] });
    const gateways = [first, second];
    // One client is alone at its gateway: that one's part of the sum would be the client's input.
    const people = await openPeople(
      join(folder, 'sum'),
      [...Array<string>(9).fill(first.url), second.url],
      10,
    );
    const roundsAt = () => gateways.map(({ coordinator }) => coordinator.coordination.rounds('films').length);
    await until('a round', () => roundsAt().every((count) => count === 1));
    await until('outcomes', () => people.outcomes.length === 10);
    inputs.stop();
    expect(inputs.masked).toHaveLength(30);
    expect(sums).toHaveLength(1);
    const [sum = new Uint32Array(0)] = sums;
    const low = (words: Uint32Array) => words.map((word) => word & 0xffffff);
    expect(low(sum)).toEqual(low(inputs.sum.slice(0, sum.length)));
    expect(people.outcomes.every(({ outcome }) => outcome === 'committed')).toBe(true);

    await people.close();
    expect(await foundOutside(inputs.masked, { wire, postgres, store })).toEqual([
      'planted in PostgreSQL',
      'planted in Redis',
    ]);
    for (const node of [...gateways, owner]) await node.close();
    await wire.close();
  }, 60_000);

  it('has one registry: a model that is promoted at one gateway is what devices at the other rank with', async (ctx) => {
    const { redis, postgres } = servers((reason) => ctx.skip(reason));
    const store = await postgres.newDatabase();
    const shared = { redis: redis.url, store, tasks: [filmsTask(5, { rounds: 2 })] };
    const owner = await openNode({ ...shared, roles: ['owner'] });
    const first = await openNode({ ...shared, roles: ['gateway'] });
    const second = await openNode({ ...shared, roles: ['gateway'] });
    const registryAt = ({ coordinator }: Node) => coordinator.coordination.registry('films') as Registry;
    const people = await openPeople(join(folder, 'models'), [first.url], 5);
    const roundsAt = () =>
      [first, second].map(({ coordinator }) => coordinator.coordination.rounds('films').length);
    await until('two rounds', () => roundsAt().every((count) => count === 2));
    await people.close();

    await registryAt(first).change({ channel: 'stable', model: '1', by: 'ada' });
    const here = await registryAt(first).current('stable');
    expect(here?.manifest).toMatchObject({ round: 1, kind: 'round' });
    await until('word of it', () => second.coordinator.coordination.taskInfo('films')?.promotions === 1);
    expect(await registryAt(second).current('stable')).toEqual(here);
    expect(await registryAt(second).models()).toEqual(await registryAt(first).models());
    const late = await openPeople(join(folder, 'late'), [second.url], 1);
    const lists = await late.clients[0]?.recommend({ k: 5 });
    expect(lists).toHaveLength(5);
    await late.close();
    await expect(registryAt(second).change({ channel: 'canary', model: null, by: 'ada' })).rejects.toThrow(
      RegistryError,
    );
    await registryAt(second).change({ channel: 'stable', model: null, by: 'ada' });
    await until('word of it', () => first.coordinator.coordination.taskInfo('films')?.promotions === 2);
    expect((await registryAt(first).current('stable'))?.manifest).toBeNull();
    for (const node of [first, second, owner]) await node.close();
  }, 60_000);
});

describe('tasks that are created while a cluster runs', () => {
  it('are served by every gateway, also by one that comes later, and run by an owner', async (ctx) => {
    const { redis, postgres } = servers((reason) => ctx.skip(reason));
    const store = await postgres.newDatabase();
    const tokens = join(folder, 'created-tokens.json');
    const token = createToken(tokens, { name: 'ada', role: 'operate' });
    const shared = { redis: redis.url, store, tokens, tasks: [filmsTask(5, { name: 'books' })] };
    const owner = await openNode({ ...shared, roles: ['owner'] });
    const first = await openNode({ ...shared, roles: ['gateway'] });
    const second = await openNode({ ...shared, roles: ['gateway'] });
    const create = async (task: object, at = first): Promise<[number, unknown]> => {
      const response = await fetch(`${at.url}/api/v1/tasks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(task),
      });
      return [response.status, await response.json()];
    };
    // At two gateways at once: there is one of this name.
    const both = await Promise.all([create(filmsTask(4)), create(filmsTask(4), second)]);
    expect(both.map(([status]) => status).sort()).toEqual([201, 409]);
    expect(both.find(([status]) => status === 409)).toMatchObject([409, { error: { code: 'task/exists' } }]);
    const infoAt = ({ coordinator }: Node, task = 'films') => coordinator.coordination.taskInfo(task);
    await until('both gateways know it', () => [first, second].every((node) => infoAt(node) !== undefined));
    // Also where nobody is there, so that its owner has no more to tell.
    const idle = ['shows', 'songs', 'plays'];
    for (const name of idle) expect((await create(filmsTask(4, { name })))[0]).toBe(201);
    await until('both know those', () =>
      [first, second].every((node) => idle.every((name) => infoAt(node, name) !== undefined)),
    );
    const people = await openPeople(join(folder, 'created'), [first.url, second.url], 4);
    const roundsAt = ({ coordinator }: Node) => coordinator.coordination.rounds('films').length;
    await until('a round', () => [first, second].every((node) => roundsAt(node) >= 1));

    // A process that starts anew finds the task.
    const later = await openNode({ ...shared, roles: ['gateway'] });
    expect([...later.coordinator.coordination.taskNames].sort()).toEqual(['books', 'films', ...idle].sort());
    await people.close();
    for (const node of [first, second, later, owner]) await node.close();
  }, 60_000);
});

describe('a process of a cluster that is stopped', () => {
  it('ends its attempt well, hands its task over at once, and sends its clients to the others', async (ctx) => {
    const { redis, postgres } = servers((reason) => ctx.skip(reason));
    const store = await postgres.newDatabase();
    const both = { redis: redis.url, store, tasks: [filmsTask(6)] };
    const roles = ['gateway', 'owner'] as const;
    const first = await openNode({ ...both, roles });
    const second = await openNode({ ...both, roles });
    const people = await openPeople(join(folder, 'drain'), [first.url, second.url], 10);
    const committed = () => second.coordinator.coordination.rounds('films').length;
    await until('rounds over both', () => committed() >= 2);
    const begun = performance.now();
    const reasons: (string | null)[] = [];
    second.coordinator.coordination.subscribe((event) => {
      if (event.type === 'aborted') reasons.push(event.reason);
    });
    expect(await first.coordinator.drain()).toBe(true);
    const [lease] = await postgres.query(
      store,
      `select epoch, beats from tutti.leases where scope = 'task:films'`,
    );
    expect(lease).toSatisfy(
      ({ epoch, beats }: { epoch: number; beats: number }) => epoch === 2 || beats === -1,
    );
    await first.close();
    const then = committed();
    await until('a round of the second', () => committed() > then);
    // Nobody waited for a lease to run out, and no attempt came to nothing.
    expect(reasons).toEqual([]);
    expect(performance.now() - begun).toBeLessThan(20_000);
    await people.close();
    await second.close();
  }, 60_000);
});

describe('workers of a cluster', () => {
  it('take the masks from a round; no seed stands in Redis or PostgreSQL', async (ctx) => {
    const { redis, postgres } = servers((reason) => ctx.skip(reason));
    const store = await postgres.newDatabase();
    const wire = await recordRedis(redis.url);
    const sums: Uint32Array[] = [];
    const inputs = watchInputs();
    const both = { roles: ['gateway', 'owner'], watch: watchSums(sums) } as const;
    const node = await openNode({ redis: wire.url, store, tasks: [filmsTask(8, { rounds: 1 })], ...both });
    const storage = await openSharedPostgresStorage(store, nodeCrypto);
    const unmasker = localUnmasker(nodeCrypto);
    let secrets = 0;
    const worker = await openWorker({
      ...{ redis: wire.url, storage, unmasker, takeOverMs: TAKE_OVER_MS },
      ...{ crypto: nodeCrypto, random: systemRandom() },
      onDone: (_, count) => void (secrets += count),
    });
    const people = await openPeople(join(folder, 'jobs'), [node.url], 8);
    await until('a round', () => node.coordinator.coordination.rounds('films').length === 1);
    inputs.stop();
    // A seed a survivor, and nothing was left for the owner.
    expect(secrets).toBe(8);
    expect(sums).toEqual([]);
    await people.close();
    await worker.close();
    await node.close();
    expect(inputs.seeds.length).toBeGreaterThanOrEqual(8);
    expect(await foundOutside([...inputs.masked, ...inputs.seeds], { wire, postgres, store })).toEqual([
      'planted in PostgreSQL',
      'planted in Redis',
    ]);
    await storage.close();
    await wire.close();
  }, 60_000);
});

/** Labels of what went to Redis or came from it, or stands in the files of PostgreSQL; something is planted in both. */
async function foundOutside(
  masked: readonly Pattern[],
  { wire, postgres, store }: { wire: Recorder; postgres: TestServer; store: string },
): Promise<string[]> {
  const planted = ['Redis', 'PostgreSQL'].map((place) => ({
    label: `planted in ${place}`,
    bytes: Uint8Array.from(randomBytes(WINDOW_BYTES)),
  }));
  const [inRedis, inPostgres] = planted.map(({ bytes }) => Buffer.from(bytes));
  const connection = new Redis(wire.url);
  await connection.set('planted', inRedis as Buffer);
  await postgres.query(
    store,
    `insert into tutti.small_values values ('planted', '\\x${inPostgres?.toString('hex') ?? ''}'); checkpoint`,
  );
  const [row] = await postgres.query(store, 'show data_directory');
  const finder = finderOf(writings([...masked, ...planted]));
  const found = [
    ...searchFiles(String(row?.['data_directory']), finder),
    ...searchText(wire.bytes(), finder),
  ];
  connection.disconnect();
  return [...new Set(found.map(({ label }) => label))].sort();
}
