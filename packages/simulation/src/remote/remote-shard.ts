import { InternalError } from '@tutti/base';
import { addStoredInPlace, encodeStored, readStored } from '../recorded-store.ts';
import type { ThreadAnswers, ThreadRequest } from '../thread.ts';
import { KINDS, saysNo, type Packet, type Peers } from './hosts.ts';
import { ANSWERS, encodeRequest } from './words.ts';

/** Pause after a question that nobody answered, in milliseconds. */
const PAUSE_MS = 100;

/** A request, and who waits for its answer; nobody where it was answered. */
interface Entry {
  readonly number: number;
  readonly request: ThreadRequest;
  /** Since when it is asked of the host that has it now. */
  since: number;
  waiting: { resolve(answer: unknown): void; reject(error: Error): void } | undefined;
}

/**
 * The devices of one shard, as the simulation keeps track of them: what they had stored when the draw began, and everything that they were
 * asked since. Whoever hosts them next is told the same again, in the same order, and they come to where they were.
 */
export class RemoteShard {
  readonly #log: Entry[] = [];
  readonly #kept = new Map<number, Map<string, Uint8Array>>();
  #next = 1;
  #generation = 0;
  #position = 0;
  #host: string | undefined;
  #failure: Error | undefined;

  constructor(
    readonly name: string,
    private readonly peers: Peers,
    private readonly now: () => number,
    /** Its host says that it does not have it. */
    private readonly onRefused: () => void,
  ) {}

  get host(): string | undefined {
    return this.#host;
  }

  get generation(): number {
    return this.#generation;
  }

  /** What its devices had stored when the draw began. */
  stored(): Uint8Array {
    const rows = [...this.#kept].flatMap(([user, values]) =>
      Array.from(values, ([key, value]) => [user, key, value] as const),
    );
    return encodeStored(rows);
  }

  /** For how long the oldest unanswered request waits at its host, in milliseconds. */
  waitsMs(): number {
    const oldest = this.#log.find(({ waiting }) => waiting !== undefined);
    return oldest === undefined || this.#host === undefined ? 0 : this.now() - oldest.since;
  }

  ask(request: ThreadRequest): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject };
      const entry: Entry = { number: this.#next++, request, since: this.now(), waiting };
      this.#log.push(entry);
      if (this.#host !== undefined) void this.#send(entry);
    });
  }

  /** Nobody hosts it at the moment. */
  lose(): void {
    this.#host = undefined;
    this.#generation++;
  }

  /** `host` has it now, as this generation: it is asked everything since the draw began, in order. */
  hosted(host: string): void {
    this.#host = host;
    this.#position = 0;
    for (const entry of this.#log) {
      entry.since = this.now();
      void this.#send(entry);
    }
  }

  /** An answer came. What was answered by an earlier host is not wanted again. */
  done(generation: number, number: number, packet: Packet, problem: string | undefined): boolean {
    if (generation !== this.#generation) return false;
    const entry = this.#log.find((one) => one.number === number);
    if (entry?.waiting === undefined) return true;
    const { waiting, request } = entry;
    entry.waiting = undefined;
    if (problem === undefined) this.#settle(entry, packet, waiting);
    else waiting.reject(new InternalError(problem));
    // What changes no device need not be asked again.
    if (request.kind === 'rank') this.#log.splice(this.#log.indexOf(entry), 1);
    return true;
  }

  fail(error: Error): void {
    this.#failure = error;
    for (const { waiting } of this.#log) waiting?.reject(error);
    this.#log.length = 0;
  }

  #settle({ number, request }: Entry, packet: Packet, waiting: NonNullable<Entry['waiting']>): void {
    try {
      const answer: ThreadAnswers[keyof ThreadAnswers] = ANSWERS[request.kind].decode(packet);
      if (request.kind === 'keep') this.#keep(number, answer as Uint8Array);
      waiting.resolve(answer);
    } catch (error) {
      waiting.reject(error instanceof Error ? error : new InternalError(String(error)));
    }
  }

  #keep(number: number, written: Uint8Array): void {
    addStoredInPlace(this.#kept, readStored(written));
    const left = this.#log.filter((entry) => entry.number > number);
    this.#log.splice(0, this.#log.length, ...left);
  }

  /** Until the host has it, or is no longer the host. */
  async #send({ number, request }: Entry): Promise<void> {
    const generation = this.#generation;
    const position = ++this.#position;
    const { head, parts } = encodeRequest(request);
    while (generation === this.#generation && this.#host !== undefined) {
      const asked = { shard: this.name, generation, position, number, request: head };
      try {
        await this.peers.ask(this.#host, KINDS.work, { head: asked, parts });
        return;
      } catch (error) {
        if (saysNo(error) && generation === this.#generation) this.onRefused();
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
