import type { DevicePool, FetchBlob } from '../device-pool.ts';
import { openThreadPool } from '../pool.ts';
import type { ThreadSetup } from '../thread.ts';
import { inPieces, KINDS, NOTHING, problemOf, runtimeOf, saysNo, type Packet, type Peers } from './hosts.ts';
import { populationOf } from './population-parts.ts';
import * as words from './words.ts';

/** Shards that one host has at most. */
const MOST_SHARDS = 256;
/** Requests that a shard holds at most. */
const MOST_WAITING = 4_096;
/** Pause after a question that nobody answered, in milliseconds. */
const PAUSE_MS = 100;

/** What a host of simulated devices is made of. */
export interface ServeOptions {
  readonly peers: Peers;
  readonly version: string;
  /** Threads that simulations may count on. */
  readonly threads: number;
  /** Hears what becomes of shards. */
  readonly onShard?: (line: string) => void;
}

/** Hosts devices of whoever simulates, each shard in a thread of its own. */
export function serveShards({ peers, version, threads, onShard }: ServeOptions): { close(): Promise<void> } {
  const shards = new Map<string, HostedShard>();
  const say = (line: string): void => onShard?.(line);

  const drop = async (name: string): Promise<void> => {
    const shard = shards.get(name);
    shards.delete(name);
    if (shard !== undefined) say(`${name.slice(-4)}: let go`);
    await shard?.close();
  };

  peers.on(KINDS.hello, () => ({ head: { threads, runtime: runtimeOf(version) }, parts: [] }));
  peers.on(KINDS.host, async (from, { head }) => {
    const asked = words.hostHead.parse(head);
    const known = shards.get(asked.shard);
    if (known?.owner === from && known.generation === asked.generation) return NOTHING;
    if (known !== undefined && known.owner !== from) throw new Error('it is somebody else’s');
    await drop(asked.shard);
    if (shards.size >= MOST_SHARDS)
      throw new Error(`${MOST_SHARDS} shards are hosted here, which is the most`);
    say(`${asked.shard.slice(-4)}: taken`);
    const lost = (): void => void drop(asked.shard);
    shards.set(asked.shard, new HostedShard(peers, from, asked, lost));
    return NOTHING;
  });
  peers.on(KINDS.work, (from, packet) => {
    const { shard: name, generation, position, number, request } = words.workHead.parse(packet.head);
    const shard = shards.get(name);
    if (shard?.owner !== from || shard.generation !== generation) throw new Error('it is not hosted here');
    // Parts are the carrier's, and wiped after the answer.
    const parts = packet.parts.map((part) => Uint8Array.from(part));
    shard.take(position, number, { head: request, parts });
    return NOTHING;
  });
  peers.on(KINDS.drop, (from, { head }) => {
    const { shard, generation } = words.shardHead.parse(head);
    const known = shards.get(shard);
    if (known?.owner === from && known.generation === generation) void drop(shard);
    return NOTHING;
  });
  peers.onLost((lost) => {
    for (const [name, { owner }] of shards) if (lost.includes(owner)) void drop(name);
  });
  return {
    async close() {
      await Promise.all([...shards.keys()].map(drop));
    },
  };
}

type HostHead = ReturnType<typeof words.hostHead.parse>;

/** One shard at this host: a thread with its devices, and the requests that came. */
class HostedShard {
  readonly owner: string;
  readonly generation: number;
  readonly #name: string;
  readonly #waiting = new Map<number, { number: number; packet: Packet }>();
  readonly #opening: Promise<DevicePool>;
  #next = 1;
  #closed = false;
  #last: Promise<void>;

  constructor(
    private readonly peers: Peers,
    owner: string,
    asked: HostHead,
    private readonly onUnwanted: () => void,
  ) {
    this.owner = owner;
    this.generation = asked.generation;
    this.#name = asked.shard;
    this.#opening = this.#open(asked);
    this.#last = this.#opening.then(
      ({ backend, notes }) => this.#tell(0, { head: { backend, notes }, parts: [] }),
      (error: unknown) => this.#tell(0, NOTHING, problemOf(error)),
    );
  }

  /** Requests are answered in the order of their positions, however they come, each once. */
  take(position: number, number: number, packet: Packet): void {
    if (position < this.#next || this.#waiting.has(position)) return;
    if (this.#waiting.size >= MOST_WAITING)
      throw new Error(`${MOST_WAITING} requests wait, which is the most`);
    this.#waiting.set(position, { number, packet });
    for (let next = this.#waiting.get(this.#next); next !== undefined; next = this.#waiting.get(this.#next)) {
      this.#waiting.delete(this.#next++);
      const one = next;
      // A thread answers in order: asking ahead keeps it busy.
      const answering = this.#opening.then((pool) => answerOf(pool, one.packet, one.number));
      answering.catch(() => undefined);
      this.#last = this.#last.then(() =>
        answering.then(
          (answer) => this.#tell(one.number, answer),
          (error: unknown) => this.#tell(one.number, NOTHING, problemOf(error)),
        ),
      );
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening.then(
      (pool) => pool.close(),
      () => undefined,
    );
  }

  /** Fetches the shard's data and starts its thread. */
  async #open({ setup, parts }: HostHead): Promise<DevicePool> {
    const { users, items, ...rest } = words.decodeSetup(setup);
    const names = parts.map(([name]) => name);
    const fetched: Uint8Array[] = [];
    for (const [part, [, bytes]] of parts.entries()) fetched.push(await this.#fetchPart(part, bytes));
    const bytesOf = (name: string): Uint8Array => fetched[names.indexOf(name)] ?? new Uint8Array(0);
    const whole: ThreadSetup = {
      ...rest,
      population: populationOf({ users, items }, { names, parts: fetched }),
      movable: { secret: bytesOf('secret'), stored: bytesOf('stored') },
    };
    const pool = await openThreadPool(1, whole, this.#fetchBlob);
    if (this.#closed) await pool.close();
    return pool;
  }

  #fetchPart(part: number, bytes: number): Promise<Uint8Array> {
    return inPieces(bytes, (from) => this.#ask(KINDS.part, { part, from }));
  }

  readonly #fetchBlob: FetchBlob = async (hash) => {
    const first = await this.#ask(KINDS.blob, { hash, from: 0 });
    const { bytes } = words.blobAnswer.parse(first.head);
    if (bytes === null) return undefined;
    return inPieces(bytes, async (from) => (from === 0 ? first : this.#ask(KINDS.blob, { hash, from })));
  };

  async #tell(number: number, { head, parts }: Packet, problem?: string): Promise<void> {
    const said = problem === undefined ? { answer: head } : { problem };
    try {
      const reply = await this.#ask(KINDS.done, { number, ...said }, parts);
      if (!words.doneAnswer.parse(reply.head).isWanted) this.onUnwanted();
    } catch {
      this.onUnwanted();
    }
  }

  /** Asks the simulation until it answers; its loss closes this shard, and ends that. */
  async #ask(kind: string, head: object, parts: readonly Uint8Array[] = []): Promise<Packet> {
    const packet = { head: { shard: this.#name, generation: this.generation, ...head }, parts };
    for (;;) {
      try {
        return await this.peers.ask(this.owner, kind, packet);
      } catch (error) {
        if (this.#closed || saysNo(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }
}

async function answerOf(pool: DevicePool, packet: Packet, number: number): Promise<Packet> {
  const request = words.decodeRequest(packet, number);
  const answer: unknown = await pool.ask(0, request);
  const { encode } = words.ANSWERS[request.kind] as { encode(answer: unknown): Packet };
  return encode(answer);
}
