import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createClient,
  createSharedEngine,
  type Client,
  type ClientOptions,
  type SharedEngine,
} from '@tutti/client-node';
import {
  memoryBlobs,
  memoryStore,
  type Blobs,
  type CoordinationEvent,
  type Store,
} from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import {
  createCoordinator,
  type Coordinator,
  type CoordinatorConfigInput,
  type CoordinatorOptions,
  type Pages,
} from '@tutti/server';

/** A federation over real sockets in one process: a real server, real clients with folders of their own. */

export const FILMS = Array.from({ length: 120 }, (_, film) => `film-${film}`);

/** A task for small cohorts. */
export function wireConfig(
  overrides: Partial<CoordinatorConfigInput['tasks'][number]> = {},
): CoordinatorConfigInput {
  return {
    listen: { port: 0 },
    tasks: [
      {
        name: 'films',
        catalogue: { ids: FILMS },
        meanHistory: 10,
        model: { family: 'mf', dimension: 8 },
        rounds: 3,
        round: {
          cohort: 6,
          smallestCohort: 3,
          overselection: 1,
          selectionMs: 300,
          deadlines: { trainMs: 20_000, shareKeysMs: 5_000, maskedInputMs: 5_000, unmaskMs: 5_000 },
        },
        insecureSmallCohort: true,
        ...overrides,
      },
    ],
  };
}

/** What runs, and how it is ended. */
export interface WireFederation {
  readonly coordinator: Coordinator;
  readonly url: string;
  readonly engine: SharedEngine;
  readonly events: CoordinationEvent[];
  /** Where a device of this name keeps what is its own. */
  folder(name: string): string;
  client(name: string, likes: readonly string[], options?: Partial<ClientOptions>): Promise<Client>;
  /** Lets every client take part until `done` says so. */
  run(clients: readonly Client[], done: (events: readonly CoordinationEvent[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

/** Opens a coordinator on a free port. */
export async function openWireFederation(
  config = wireConfig(),
  trainedBy: Parameters<typeof createSharedEngine>[0] = { backend: 'wasm' },
  storage: { store: Store; blobs: Blobs } = { store: memoryStore(), blobs: memoryBlobs(nodeCrypto) },
  pages?: Pages,
  more: Partial<CoordinatorOptions> = {},
): Promise<WireFederation> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-wire-'));
  const coordinator = await createCoordinator({
    config,
    ...storage,
    ...more,
    ...(pages === undefined ? {} : { pages }),
  });
  const url = await coordinator.listen();
  const engine = await createSharedEngine(trainedBy);
  const events: CoordinationEvent[] = [];
  coordinator.coordination.subscribe((event) => void (event.type !== 'progress' && events.push(event)));
  const open: Client[] = [];
  return {
    coordinator,
    url,
    engine,
    events,
    folder: (name) => join(folder, name),
    async client(name, likes, options = {}) {
      const client = await createClient({
        coordinator: url,
        task: 'films',
        store: join(folder, name),
        engine,
        policy: { smallestCohort: 2, insecureSmallCohort: true },
        backOff: { firstMs: 50, mostMs: 500 },
        answerEveryMs: 20,
        ...options,
      });
      if (likes.length > 0 && (await client.history()).length === 0)
        await client.record(likes.map((item) => ({ item })));
      open.push(client);
      return client;
    },
    async run(clients, done) {
      const stop = new AbortController();
      setMaxListeners(0, stop.signal);
      const running = clients.map((client) => client.participate({ signal: stop.signal }));
      const deadline = Date.now() + 25_000;
      while (!done(events) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
      stop.abort();
      await Promise.all(running);
      if (!done(events)) throw new Error(`not done: ${events.map((event) => event.type).join(', ')}`);
    },
    async close() {
      await Promise.all(open.map((client) => client.close()));
      await coordinator.close();
      engine.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Whether `count` rounds are committed. */
export const rounds =
  (count: number) =>
  (events: readonly CoordinationEvent[]): boolean =>
    events.filter(({ type }) => type === 'committed').length >= count;
