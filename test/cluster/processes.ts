import { clusterOf, type ClusterOptions } from '@tutti/cluster-redis';
import { startTestRedis, type TestRedis } from '@tutti/cluster-redis/testing';
import { createClient, createSharedEngine, type Client } from '@tutti/client-node';
import type { CoordinationOptions } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, type Coordinator, type CoordinatorConfigInput } from '@tutti/server';
import { openSharedPostgresStorage } from '@tutti/storage-postgres';
import { startTestServer, type TestServer } from '@tutti/storage-postgres/testing';

/** Clusters in one process, on a Redis and a PostgreSQL of their own. */

export const FILMS = Array.from({ length: 60 }, (_, film) => `film-${film}`);

/** Quick, so that a test sees what takes seconds in earnest. */
export const TAKE_OVER_MS = 1_500;

export interface Servers {
  readonly redis: TestRedis;
  readonly postgres: TestServer;
  destroy(): Promise<void>;
}

/** @returns in words what is missing on this machine. */
export async function startServers(): Promise<Servers | string> {
  const redis = await startTestRedis();
  if (typeof redis === 'string') return redis;
  const postgres = await startTestServer();
  if (typeof postgres === 'string') {
    await redis.destroy();
    return postgres;
  }
  return {
    redis,
    postgres,
    async destroy() {
      await redis.destroy();
      await postgres.destroy();
    },
  };
}

/** One process of a cluster. */
export interface Node {
  readonly url: string;
  readonly coordinator: Coordinator;
  close(): Promise<void>;
}

export interface NodeOptions {
  readonly redis: string;
  readonly store: string;
  readonly roles: ClusterOptions['roles'];
  readonly tasks: CoordinatorConfigInput['tasks'];
  /** File of operators' tokens. */
  readonly tokens?: string;
  /** Sees what the process runs its tasks with. */
  readonly watch?: (options: CoordinationOptions) => CoordinationOptions;
}

export async function openNode({ redis, store, roles, tasks, tokens, watch }: NodeOptions): Promise<Node> {
  const storage = await openSharedPostgresStorage(store, nodeCrypto, { lockWaitMs: 500 });
  const join = clusterOf({ redis, roles, storage, takeOverMs: TAKE_OVER_MS });
  const coordinator = await createCoordinator({
    config: { listen: { port: 0 }, store, tasks, ...(tokens === undefined ? {} : { tokens }) },
    store: storage.store,
    blobs: storage.blobs,
    unmaskThreads: 1,
    coordinate: (options) => join(watch?.(options) ?? options),
  });
  const url = await coordinator.listen();
  return {
    url,
    coordinator,
    async close() {
      await coordinator.close();
      await storage.close();
    },
  };
}

export const filmsTask = (clients: number, more: object = {}): CoordinatorConfigInput['tasks'][number] => ({
  name: 'films',
  catalogue: { ids: FILMS },
  meanHistory: 6,
  model: { family: 'mf', dimension: 4 },
  round: {
    cohort: clients,
    smallestCohort: 3,
    overselection: 1,
    selectionMs: 300,
    deadlines: { trainMs: 4_000, shareKeysMs: 2_000, maskedInputMs: 2_000, unmaskMs: 2_000 },
  },
  insecureSmallCohort: true,
  ...more,
});

/** People on devices, spread over gateways. */
export interface People {
  readonly clients: readonly Client[];
  readonly outcomes: { readonly outcome: string; readonly reason: string | null }[];
  close(): Promise<void>;
}

export async function openPeople(folder: string, urls: readonly string[], count: number): Promise<People> {
  const engine = await createSharedEngine({ backend: 'wasm' });
  const outcomes: { outcome: string; reason: string | null }[] = [];
  const stop = new AbortController();
  const clients = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const client = await createClient({
        coordinator: urls[i % urls.length] as string,
        task: 'films',
        store: `${folder}/client-${i}`,
        engine,
        policy: { smallestCohort: 2, insecureSmallCohort: true },
        backOff: { firstMs: 50, mostMs: 400 },
        answerEveryMs: 10,
      });
      await client.record(FILMS.slice(i, i + 6).map((item) => ({ item })));
      client.on('round', ({ outcome, reason }) => void outcomes.push({ outcome, reason }));
      return client;
    }),
  );
  const running = clients.map((client) => client.participate({ signal: stop.signal }));
  return {
    clients,
    outcomes,
    async close() {
      stop.abort();
      await Promise.allSettled(running);
      await Promise.all(clients.map((client) => client.close()));
      engine.close();
    },
  };
}

/** Waits for something to be so. */
export async function until(what: string, isSo: () => boolean, limitMs = 20_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
