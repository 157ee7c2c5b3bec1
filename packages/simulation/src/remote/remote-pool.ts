import { setTimeout as sleep } from 'node:timers/promises';
import { systemRandom, toHex, UsageError, utf8 } from '@tutti/base';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import type { DevicePool, FetchBlob } from '../device-pool.ts';
import type { ThreadAnswers, ThreadRequest, ThreadSetup } from '../thread.ts';
import { HostsFailedError, NoHostsError, OtherRuntimeError } from './errors.ts';
import { KINDS, PIECE_BYTES, type Packet, type SimulationHosts } from './hosts.ts';
import { LOOK_MS, MetHosts, type Host } from './met-hosts.ts';
import { populationParts } from './population-parts.ts';
import { RemoteShard } from './remote-shard.ts';
import * as words from './words.ts';

/** A host that answers a request after longer counts as one that failed, in milliseconds. */
const ANSWER_MS = 600_000;
/** A shard is moved so often at most: it may be what its hosts fail of. */
const MOST_MOVES = 16;
/** Most shards. */
const MOST_SHARDS = 256;

/**
 * Devices on the hosts that there are: as many shards as those have threads, each with its part of the population's data. A shard whose host
 * is lost is given to another, and its devices go on where they were: figures do not depend on who hosts what.
 *
 * @throws {NoHostsError} where nobody is there in time, {OtherRuntimeError} where figures would differ, {UsageError} for a model that
 *   hosts cannot have.
 */
export async function openRemotePool(
  options: SimulationHosts,
  setup: ThreadSetup,
  fetchBlob: FetchBlob,
): Promise<DevicePool> {
  if (setup.definedIn !== undefined)
    throw new UsageError('workers: an app’s own model is code, which hosts are not given; simulate it here');
  const pool = new RemotePool(options, setup, fetchBlob);
  await pool.open().catch(async (error: unknown) => {
    await pool.close();
    throw error;
  });
  return pool;
}

class RemotePool implements DevicePool {
  readonly #secret = systemRandom().bytes(32);
  readonly #session = toHex(systemRandom().bytes(16));
  readonly #met: MetHosts;
  readonly #shards = new Map<string, RemoteShard>();
  readonly #data = new Map<string, readonly Uint8Array[]>();
  readonly #moves = new Map<RemoteShard, number>();
  readonly #moving = new Map<RemoteShard, Promise<void>>();
  readonly #watch = setInterval(() => this.#look(), LOOK_MS);
  #backend: string | undefined;
  #closed = false;
  notes: readonly string[] = [];

  constructor(
    private readonly options: SimulationHosts,
    private readonly setup: ThreadSetup,
    private readonly fetchBlob: FetchBlob,
  ) {
    const { peers } = options;
    this.#met = new MetHosts(options, `${setup.population.users} devices`);
    peers.on(KINDS.part, (_from, packet) => this.#part(packet));
    peers.on(KINDS.blob, (_from, packet) => this.#blob(packet));
    peers.on(KINDS.done, (_from, packet) => this.#done(packet));
  }

  get size(): number {
    return this.#shards.size;
  }

  get backend(): string {
    return this.#backend ?? 'none';
  }

  async open(): Promise<void> {
    await this.#met.gather();
    const count = Math.min(MOST_SHARDS, this.#met.threads, this.setup.population.users);
    for (let shard = 0; shard < count; shard++) {
      const name = `${this.#session}-${shard}`;
      const made: RemoteShard = new RemoteShard(
        ...([name, this.options.peers, () => performance.now(), () => this.#move(made)] as const),
      );
      this.#shards.set(name, made);
    }
    await Promise.all([...this.#shards.values()].map((shard) => this.#place(shard)));
    this.#say(`${count} threads of ${new Set(this.#placed.values()).size} workers`);
  }

  async ask<Kind extends keyof ThreadAnswers>(
    thread: number,
    request: Extract<ThreadRequest, { kind: Kind }>,
  ): Promise<ThreadAnswers[Kind]> {
    const shard = this.#shards.get(`${this.#session}-${thread}`) as RemoteShard;
    return (await shard.ask(request)) as ThreadAnswers[Kind];
  }

  async keep(): Promise<void> {
    await Promise.all([...this.#shards.values()].map((shard) => shard.ask({ kind: 'keep' })));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#met.close();
    clearInterval(this.#watch);
    this.#secret.fill(0);
    const drops = [...this.#shards.values()].map(async (shard) => {
      const { host, generation, name } = shard;
      shard.fail(new Error('the simulation is over'));
      if (host !== undefined)
        await this.options.peers.ask(host, KINDS.drop, { head: { shard: name, generation }, parts: [] });
    });
    await Promise.allSettled(drops);
  }

  #say(line: string): void {
    this.options.onHost?.(line);
  }

  /** Finds a host for a shard and has it take it; tries on until one does. */
  async #place(shard: RemoteShard): Promise<void> {
    let reason = 'nobody took it';
    for (;;) {
      const moves = (this.#moves.get(shard) ?? -1) + 1;
      if (moves > MOST_MOVES) throw new HostsFailedError(moves, reason);
      this.#moves.set(shard, moves);
      const host = await this.#leastBusy(shard);
      try {
        await this.#handOver(shard, host);
        if (moves > 0) this.#say(`${shard.name.slice(-4)}: its devices go on at another worker`);
        return;
      } catch (error) {
        if (error instanceof OtherRuntimeError || error instanceof NoHostsError || this.#closed) throw error;
        reason = error instanceof Error ? error.message : String(error);
        shard.lose();
        await sleep(LOOK_MS);
      }
    }
  }

  async #leastBusy(shard: RemoteShard): Promise<Host> {
    const hosts = await this.#met.here();
    const load = (host: Host): number =>
      [...this.#placed.values()].filter((id) => id === host.id).length / host.threads;
    const [first, ...others] = hosts;
    if (first === undefined) throw new NoHostsError(0, 'devices');
    const chosen = others.reduce((a, b) => (load(b) < load(a) ? b : a), first);
    // At once: others look for a host too.
    this.#placed.set(shard, chosen.id);
    return chosen;
  }

  /** Which host a shard is at, or on its way to. */
  readonly #placed = new Map<RemoteShard, string>();

  async #handOver(shard: RemoteShard, host: Host): Promise<void> {
    const { generation, name } = shard;
    const index = [...this.#shards.values()].indexOf(shard);
    const { names, parts } = populationParts(this.setup.population, { shard: index, shards: this.size });
    // No two shards draw the same.
    const secret = nodeCrypto.digest('shard randomness', this.#secret, utf8(name));
    const all = [...parts, secret, shard.stored()];
    const lengths = [...names, 'secret', 'stored'].map((part, at) => [part, all[at]?.length ?? 0]);
    this.#data.set(`${name}/${generation}`, all);
    try {
      const head = { shard: name, generation, setup: words.encodeSetup(this.setup), parts: lengths };
      const ready = this.#untilReady(shard);
      // Unhandled where the host does not even take it.
      ready.catch(() => undefined);
      await this.options.peers.ask(host.id, KINDS.host, { head, parts: [] });
      const { backend, notes } = await ready;
      this.#backend ??= backend;
      if (backend !== this.#backend) throw new OtherRuntimeError(`the engine ${backend}`, this.#backend);
      this.notes = notes;
      shard.hosted(host.id);
    } finally {
      this.#data.delete(`${name}/${generation}`);
      this.#ready.delete(shard);
    }
  }

  readonly #ready = new Map<RemoteShard, { resolve(packet: Packet): void; reject(error: Error): void }>();

  /** Resolves when the host that a shard is handed to has its engine ready; rejects when it is gone. */
  async #untilReady(shard: RemoteShard): Promise<{ backend: string; notes: string[] }> {
    const tooLate = AbortSignal.timeout(ANSWER_MS);
    const packet = await new Promise<Packet>((resolve, reject) => {
      this.#ready.set(shard, { resolve, reject });
      tooLate.addEventListener('abort', () => reject(new Error('it was not ready in time')));
    });
    return words.readyAnswer.parse(packet.head);
  }

  #part({ head }: Packet): Packet {
    const { shard, generation, part, from } = words.partHead.parse(head);
    const bytes = this.#data.get(`${shard}/${generation}`)?.[part];
    if (bytes === undefined) throw new Error('the shard is hosted elsewhere');
    return { head: null, parts: [bytes.subarray(from, from + PIECE_BYTES)] };
  }

  async #blob({ head }: Packet): Promise<Packet> {
    const { hash, from } = words.blobHead.parse(head);
    const bytes = await this.fetchBlob(hash);
    if (bytes === undefined) return { head: { bytes: null }, parts: [] };
    return { head: { bytes: bytes.length }, parts: [bytes.subarray(from, from + PIECE_BYTES)] };
  }

  #done({ head, parts }: Packet): Packet {
    const { shard: name, generation, number, answer, problem } = words.doneHead.parse(head);
    const shard = this.#shards.get(name);
    if (shard === undefined || generation !== shard.generation)
      return { head: { isWanted: false }, parts: [] };
    if (number === 0) {
      if (problem === undefined) this.#ready.get(shard)?.resolve({ head: answer, parts: [] });
      else this.#ready.get(shard)?.reject(new Error(problem));
      return { head: { isWanted: true }, parts: [] };
    }
    return {
      head: { isWanted: shard.done(generation, number, { head: answer, parts }, problem) },
      parts: [],
    };
  }

  /** Moves the shards of hosts that are gone, or that answer nothing. */
  #look(): void {
    const alive = new Set(this.options.peers.hosts());
    const away = this.#met.redisAway();
    if (away !== undefined) this.#fail(away);
    for (const [shard, host] of this.#placed) {
      if (alive.has(host) && shard.waitsMs() < ANSWER_MS) continue;
      this.#ready.get(shard)?.reject(new Error('its host is gone'));
      if (shard.host !== undefined) this.#move(shard);
    }
  }

  #move(shard: RemoteShard): void {
    if (this.#closed || this.#moving.has(shard)) return;
    this.#say(`${shard.name.slice(-4)}: its worker is gone, or silent`);
    shard.lose();
    const moved = this.#place(shard)
      .catch((error: unknown) => this.#fail(error instanceof Error ? error : new Error(String(error))))
      .finally(() => this.#moving.delete(shard));
    this.#moving.set(shard, moved);
  }

  #fail(error: Error): void {
    for (const shard of this.#shards.values()) shard.fail(error);
  }
}
