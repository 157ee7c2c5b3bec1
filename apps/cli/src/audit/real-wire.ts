import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  openRecordingProxy,
  websocketMessages,
  type RecordedConnection,
  type RecordingProxy,
  type WireObservation,
  type WireProbe,
} from '@tutti/audit';
import { EnvironmentError } from '@tutti/base';
import { createClient, createSharedEngine, type Client, type SharedEngine } from '@tutti/client-node';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { decodeClientMessage, decodeCoordinatorMessage } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, type Coordinator } from '@tutti/server';

/** How many interactions the two kinds of people have. */
const FEW = 3;
const MANY = 300;

/** Enough items for the many, and few enough that a round is over soon. */
const ITEMS = Array.from({ length: 400 }, (_, item) => `item-${item}`);

/** How clients delay their answers unless told otherwise (`createParticipation`). */
const ANSWER_EVERY_MS = 250;

/** How long one round may take, in milliseconds. */
const LIMIT_MS = 60_000;

const TASK = 'watched';

/**
 * A real coordinator and real clients of the SDK, in this process, on real sockets: for each round the one client or the other takes
 * part, beside one that is not watched, through a proxy of its own that keeps every byte and its time.
 */
export function realWire(signal: AbortSignal): WireProbe {
  return {
    few: FEW,
    many: MANY,
    answerEveryMs: ANSWER_EVERY_MS,
    async observe(delayed, order) {
      const place = await openPlace();
      const stop = new AbortController();
      const companion = await place.client('companion', place.url, delayed);
      const running = companion.participate({ signal: stop.signal });
      const people = [await openWatched(place, false, delayed), await openWatched(place, true, delayed)];
      try {
        // A first round of either is not looked at: code is compiled in it.
        for (const watched of people) await oneRound(watched, signal);
        const seen: WireObservation[] = [];
        for (const many of order)
          seen.push({ many, ...(await oneRound(people[many ? 1 : 0] as Watched, signal)) });
        return seen;
      } finally {
        stop.abort();
        await running;
        for (const { client, proxy } of people) {
          await client.close();
          await proxy.close();
        }
        await companion.close();
        await place.close();
      }
    },
  };
}

/** A client whose connections are watched. */
interface Watched {
  readonly client: Client;
  readonly proxy: RecordingProxy;
}

interface Place {
  readonly url: string;
  readonly coordinator: Coordinator;
  client(name: string, url: string, delayed: boolean): Promise<Client>;
  close(): Promise<void>;
}

async function openPlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-audit-'));
  const engine: SharedEngine = await createSharedEngine();
  const coordinator = await createCoordinator({
    store: memoryStore(),
    blobs: memoryBlobs(nodeCrypto),
    config: {
      listen: { port: 0 },
      tasks: [
        {
          name: TASK,
          catalogue: { ids: ITEMS },
          meanHistory: 50,
          // So much to compute that it shows: a smaller model is trained in less than the network's jitter.
          model: {
            family: 'mlp',
            dimension: 32,
            hidden: [128, 64],
            negatives: 4,
            epochs: 8,
          },
          // Two clients' mean and strong steps would make the weights grow without end.
          strategy: { name: 'fedavg', learningRate: 1e-3 },
          round: { cohort: 2, smallestCohort: 2, overselection: 1, selectionMs: 1 },
          insecureSmallCohort: true,
        },
      ],
    },
  });
  const url = await coordinator.listen();
  return {
    url,
    coordinator,
    client: (name, address, delayed) =>
      createClient({
        coordinator: address,
        task: TASK,
        store: join(folder, name),
        engine,
        policy: { smallestCohort: 2, insecureSmallCohort: true },
        backOff: { firstMs: 20, mostMs: 200 },
        answerEveryMs: delayed ? ANSWER_EVERY_MS : 0,
      }),
    async close() {
      await coordinator.close();
      engine.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function openWatched(place: Place, many: boolean, delayed: boolean): Promise<Watched> {
  const proxy = await openRecordingProxy(place.url);
  const client = await place.client(many ? 'many' : 'few', proxy.url, delayed);
  await client.record(ITEMS.slice(0, many ? MANY : FEW).map((item) => ({ item })));
  return { client, proxy };
}

/** Takes part until a round is committed, on a connection of its own. */
async function oneRound(
  { client, proxy }: Watched,
  signal: AbortSignal,
): Promise<Pick<WireObservation, 'sizes' | 'answerMs'>> {
  const before = proxy.connections.length;
  const over = new AbortController();
  const forget = client.on('round', ({ outcome }) => {
    if (outcome === 'committed') over.abort();
  });
  await client.participate({
    signal: AbortSignal.any([over.signal, signal, AbortSignal.timeout(LIMIT_MS)]),
  });
  forget();
  signal.throwIfAborted();
  // An attempt that did not come to its end shows before the one that did.
  const round = proxy.connections.slice(before).flatMap(roundsOn).at(-1);
  if (!over.signal.aborted || round === undefined)
    throw new EnvironmentError(`no round was committed within ${LIMIT_MS} ms`);
  return round;
}

/** Messages that every connection begins with, or that do not belong to a round. */
const BETWEEN_ROUNDS: ReadonlySet<string> = new Set(['hello', 'check-in']);

/** What a connection shows of each round: sizes of the client's messages, and how long its first answer took. */
function roundsOn({ up, down }: RecordedConnection): Pick<WireObservation, 'sizes' | 'answerMs'>[] {
  const sent = decoded(up, decodeClientMessage).filter(({ type }) => !BETWEEN_ROUNDS.has(type));
  const described = decoded(down, decodeCoordinatorMessage).filter(({ type }) => type === 'describe');
  return described.flatMap(({ atMs }, i) => {
    const end = described[i + 1]?.atMs ?? Number.POSITIVE_INFINITY;
    const own = sent.filter((message) => message.atMs >= atMs && message.atMs < end);
    const [first] = own;
    return first === undefined ? [] : [{ sizes: own.map(({ size }) => size), answerMs: first.atMs - atMs }];
  });
}

/** Protocol messages among the websocket's: binary attachments; the rest is the transport's own. */
function decoded(
  chunks: RecordedConnection['up'],
  decode: (payload: Uint8Array) => { readonly type: string },
): { type: string; size: number; atMs: number }[] {
  return websocketMessages(chunks).flatMap(({ payload, atMs }) => {
    try {
      return [{ type: decode(payload).type, size: payload.length, atMs }];
    } catch {
      return [];
    }
  });
}
