import type { RandomWords } from '@tutti/base';
import type { Reply } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import { pace } from './pace.ts';

/** A round's duration before one was seen. */
const FIRST_ROUND_MS = 10_000;

/** How much the newest round's duration counts in the running mean. */
const NEWEST_WEIGHT = 0.3;

/** Who is connected, who of them waits for a round, and when those that are not needed should come again. */
export class Lobby {
  readonly #connected = new Set<ClientId>();
  readonly #waiting = new Set<ClientId>();
  #roundMs = FIRST_ROUND_MS;

  /** @param selection draws who is selected: integers are taken from its words without bias. */
  constructor(private readonly selection: RandomWords) {}

  get connected(): number {
    return this.#connected.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  enter(client: ClientId): void {
    this.#connected.add(client);
  }

  leave(client: ClientId): void {
    this.#connected.delete(client);
    this.#waiting.delete(client);
  }

  /** Lets a client wait, or sends it away for a while where far more wait than a round of `needed` takes. */
  checkIn(client: ClientId, needed: number): Extract<Reply, { type: 'waiting' | 'later' }> {
    this.#connected.add(client);
    const facts = { waiting: this.#waiting.size + 1, needed, roundMs: this.#roundMs };
    const answer = pace(facts, this.selection.uint32() / 2 ** 32);
    if (answer.kind === 'later') return { type: 'later', retryAfterMs: answer.retryAfterMs };
    this.#waiting.add(client);
    return { type: 'waiting', checkAgainMs: answer.checkAgainMs };
  }

  /** Takes `count` of those who wait, uniformly. Sorted first, so that the draw does not depend on who came first. */
  select(count: number): ClientId[] {
    const pool = [...this.#waiting].sort();
    const wanted = Math.min(count, pool.length);
    for (let at = 0; at < wanted; at++) {
      const other = at + this.draw(pool.length - at);
      [pool[at], pool[other]] = [pool[other] as ClientId, pool[at] as ClientId];
    }
    const selected = pool.slice(0, wanted);
    for (const client of selected) this.#waiting.delete(client);
    return selected;
  }

  /** An integer in [0, bound). */
  draw(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let word = this.selection.uint32();
    while (word >= limit) word = this.selection.uint32();
    return word % bound;
  }

  /** Learns how long rounds take. */
  observeRound(durationMs: number): void {
    this.#roundMs = (1 - NEWEST_WEIGHT) * this.#roundMs + NEWEST_WEIGHT * durationMs;
  }
}
