import { setTimeout as sleep } from 'node:timers/promises';
import { NoHostsError, OtherRuntimeError } from './errors.ts';
import { KINDS, NOTHING, runtimeOf, type SimulationHosts } from './hosts.ts';
import * as words from './words.ts';

/** How long to wait where there is no host, in milliseconds. */
const WAIT_MS = 60_000;
/** Hosts that start about together are all there after so long, in milliseconds. */
const GATHER_MS = 1_000;
/** How often hosts are looked at, in milliseconds. */
export const LOOK_MS = 100;

/** A host, and the threads that it has for others. */
export interface Host {
  readonly id: string;
  readonly threads: number;
}

/** The hosts that were asked what they are. */
export class MetHosts {
  readonly #hosts = new Map<string, Host>();
  readonly waitMs: number;
  #closed = false;

  /** @param needed what they are needed for, in words. */
  constructor(
    private readonly options: SimulationHosts,
    private readonly needed: string,
  ) {
    this.waitMs = options.waitMs ?? WAIT_MS;
  }

  get threads(): number {
    return [...this.#hosts.values()].reduce((sum, host) => sum + host.threads, 0);
  }

  /** Those that are there, once those that start together have had their time. @throws as {@link here}. */
  async gather(): Promise<readonly Host[]> {
    await this.#untilSomebody();
    await sleep(GATHER_MS);
    return this.here();
  }

  /** Those that are there; waits until somebody is. @throws {NoHostsError} {OtherRuntimeError} */
  async here(): Promise<readonly Host[]> {
    await this.#untilSomebody();
    await this.#meet();
    const alive = new Set(this.options.peers.hosts());
    for (const id of this.#hosts.keys()) if (!alive.has(id)) this.#hosts.delete(id);
    return [...this.#hosts.values()];
  }

  /** What is to be said where nobody could be reached for too long. */
  redisAway(): NoHostsError | undefined {
    return this.options.peers.awayMs() > this.waitMs
      ? new NoHostsError(this.waitMs, `${this.needed}: Redis is away`)
      : undefined;
  }

  nobody(): NoHostsError {
    return new NoHostsError(this.waitMs, this.needed);
  }

  close(): void {
    this.#closed = true;
  }

  async #untilSomebody(): Promise<void> {
    const deadline = performance.now() + this.waitMs;
    while (this.options.peers.hosts().length === 0 && !this.#closed) {
      if (performance.now() > deadline) throw this.nobody();
      await sleep(LOOK_MS);
    }
  }

  /** Asks those that are new what they are. */
  async #meet(): Promise<void> {
    const { peers, version } = this.options;
    for (const id of peers.hosts()) {
      if (this.#hosts.has(id)) continue;
      const answer = await peers.ask(id, KINDS.hello, NOTHING).catch(() => undefined);
      if (answer === undefined) continue;
      const { threads, runtime } = words.helloAnswer.parse(answer.head);
      if (runtime !== runtimeOf(version)) throw new OtherRuntimeError(runtime, runtimeOf(version));
      this.#hosts.set(id, { id, threads });
    }
  }
}
