import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { createClient, createSharedEngine, type Client } from '@tutti/client-node';
import { openData } from '../data.ts';
import { sliceOf, type FromPopulation, type PopulationSetup, type ToPopulation } from './ipc.ts';

/**
 * Entry of a population process: hosts many real clients, each with a socket, an identity and a sealed store of its own.
 * It ends when it is told to, or when the process that started it is gone.
 */
const tell = (message: FromPopulation): void => void process.send?.(message);
const stopping = new AbortController();
// Every client of this process listens to it.
setMaxListeners(0, stopping.signal);
const clients = new Map<number, Client>();
const running: Promise<void>[] = [];

/** How often the preparation is told, in clients. */
const TELL_EVERY = 10;

async function host(setup: PopulationSetup): Promise<void> {
  const data = await openData(setup.data);
  const engine = await createSharedEngine({ engine: setup.engine, backend: setup.backend });
  const people: number[] = [];
  for (let user = setup.first; user < setup.people; user += setup.step) people.push(user);
  for (const [index, user] of people.entries()) {
    if (stopping.signal.aborted) return;
    clients.set(user, await openPerson(setup, data, engine, user));
    if (index % TELL_EVERY === 0) tell({ kind: 'preparing', done: index + 1, total: people.length });
  }
  tell({ kind: 'ready', backend: engine.backend, notes: [...engine.notes] });
  for (const client of clients.values()) running.push(client.participate({ signal: stopping.signal }));
  await Promise.allSettled(running);
}

async function openPerson(
  setup: PopulationSetup,
  data: Awaited<ReturnType<typeof openData>>,
  engine: Awaited<ReturnType<typeof createSharedEngine>>,
  user: number,
): Promise<Client> {
  const slice = sliceOf(data, user);
  const client = await createClient({
    coordinator: setup.coordinator,
    task: setup.task,
    store: join(setup.folder, `person-${String(user).padStart(5, '0')}`),
    engine,
    policy: {
      smallestCohort: setup.allowSmallCohort,
      trustCoordinatorNoise: setup.trustCoordinatorNoise,
    },
    ...(slice.heldOut === undefined ? {} : { heldOut: slice.heldOut }),
  });
  if ((await client.history()).length === 0)
    await client.record(slice.items.map((item) => ({ item, kind: 'like' })));
  return client;
}

async function recommend(id: number, user: number, k: number): Promise<void> {
  const list = (await clients.get(user)?.recommend({ k, explain: true })) ?? [];
  tell({
    kind: 'recommended',
    id,
    list: list.map(({ item, because }) => ({ item, because: because?.[0]?.item })),
  });
}

async function stop(): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  await Promise.allSettled(running);
  await Promise.allSettled([...clients.values()].map((client) => client.close()));
  process.exit(0);
}

const failed = (error: unknown): void => {
  tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
};

process.on('message', (message: ToPopulation) => {
  if (message.kind === 'setup') host(message.setup).catch(failed);
  else if (message.kind === 'recommend') recommend(message.id, message.user, message.k).catch(failed);
  else void stop();
});
process.on('disconnect', () => void stop());
// Ctrl-C reaches the whole group; the main process decides when its clients stop.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => void stop());
