import { setMaxListeners } from 'node:events';
import { seededRandom } from '@tutti/base';
import { memoryClientStore } from '@tutti/client';
import { createClient, createSharedEngine, type Client, type SharedEngine } from '@tutti/client-node';
import { makeShelf, type Shelf } from './films.ts';
import type { FromPopulation, PopulationSetup, ToPopulation } from './population-ipc.ts';

/**
 * Entry of the population's process: real clients, each with a socket, an identity and a store of its own, which is forgotten
 * with the process. It ends when it is told to, or when the process that started it is gone.
 */
const tell = (message: FromPopulation): void => void process.send?.(message);
const stopping = new AbortController();
// Every client of this process listens to it.
setMaxListeners(0, stopping.signal);
const clients: Client[] = [];
const running: Promise<void>[] = [];

/** Opens when the first person looks at the page. */
let begin: () => void = () => undefined;
const begun = new Promise<void>((resolve) => (begin = resolve));

/** How far rests differ: half as long to one and a half times as long. */
const REST_SPREAD = { least: 0.5, more: 1 } as const;

/** A rest is at least so many times as long as the round before it. */
const REST_IN_ROUNDS = 3;

async function host(setup: PopulationSetup): Promise<void> {
  const shelf = makeShelf(setup.people);
  const engine = await createSharedEngine({ engine: 'simd' });
  for (let person = 0; person < setup.people; person++) {
    if (stopping.signal.aborted) return;
    clients.push(await openPerson(setup, shelf, engine, person));
  }
  tell({ kind: 'ready' });
  await begun;
  for (const client of clients) running.push(client.participate({ signal: stopping.signal }));
  await Promise.all(running);
}

async function openPerson(
  { coordinator, task, restMs }: PopulationSetup,
  { people }: Shelf,
  engine: SharedEngine,
  person: number,
): Promise<Client> {
  const { ids } = people.catalogue;
  const nameOf = (film: number): string => ids[film] as string;
  const rest = resting(restMs, person);
  const heldOut = people.test.positives[person] as number;
  const client = await createClient({
    ...{ coordinator, task, engine },
    store: memoryClientStore(),
    conditions: { check: rest.over },
    heldOut: {
      item: nameOf(heldOut),
      candidates: Array.from(people.test.negatives[person] ?? [], nameOf),
    },
  });
  const likes = people.train.values.subarray(people.train.offsets[person], people.train.offsets[person + 1]);
  await client.record(Array.from(likes, (film) => ({ item: nameOf(film), kind: 'like' })));
  client.on('phase', ({ phase }) => void (phase === 'describe' && rest.asked()));
  client.on('round', rest.done);
  return client;
}

/** When a device offers itself again. */
interface Resting {
  /** A round asks it. */
  asked(): void;
  /** Its part is done. */
  done(): void;
  /** Resolves when it has rested. */
  over(): Promise<{ readonly eligible: true }>;
}

/**
 * A device that did its part rests before it offers another: it is somebody's, and has other things to do. On a slow machine, where
 * rounds take long, rests are as much longer.
 */
function resting(restMs: number, person: number): Resting {
  const random = seededRandom('rests').fork('person', person);
  let askedAt = Date.now();
  let until = 0;
  return {
    asked: () => (askedAt = Date.now()),
    done() {
      const meanMs = Math.max(restMs, REST_IN_ROUNDS * (Date.now() - askedAt));
      until = Date.now() + meanMs * (REST_SPREAD.least + REST_SPREAD.more * random.float());
    },
    async over() {
      const leftMs = until - Date.now();
      if (leftMs > 0) await pause(leftMs);
      return { eligible: true };
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (stopping.signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      stopping.signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stopping.signal.addEventListener('abort', end);
  });
}

async function stop(): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  begin();
  await Promise.allSettled(running);
  await Promise.allSettled(clients.map((client) => client.close()));
  process.exit(0);
}

process.on('message', (message: ToPopulation) => {
  if (message.kind === 'begin') begin();
  else
    host(message.setup).catch((error: unknown) => {
      if (!stopping.signal.aborted)
        tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    });
});
process.on('disconnect', () => void stop());
// Ctrl-C reaches the whole group; the demo decides when its population stops.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => void stop());
