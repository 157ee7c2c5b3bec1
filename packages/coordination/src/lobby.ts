import type { RandomWords } from '@tutti/base';
import type { Participation } from '@tutti/privacy';
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
  /** Clients that wait, but are not asked before a round: their privacy budget, or the least separation, forbids it. */
  readonly #resting = new Set<ClientId>();
  readonly #restsUntil = new Map<ClientId, number>();
  readonly #parts = new Map<ClientId, number>();
  #roundMs = FIRST_ROUND_MS;

  /**
   * @param selection draws who is selected: integers are taken from its words without bias.
   * @param longestRoundMs no round takes longer, whatever a clock that jumped says.
   */
  constructor(
    private readonly selection: RandomWords,
    private readonly longestRoundMs = Number.POSITIVE_INFINITY,
  ) {}

  get connected(): number {
    return this.#connected.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Those who wait, sorted. */
  get pool(): ClientId[] {
    return [...this.#waiting].sort();
  }

  /** Whether it is connected. */
  isHere(client: ClientId): boolean {
    return this.#connected.has(client);
  }

  enter(client: ClientId): void {
    this.#connected.add(client);
  }

  /** Everybody who is in `other`. */
  takeOver(other: Lobby): void {
    for (const client of other.#connected) this.#connected.add(client);
    for (const client of other.#waiting) this.#waiting.add(client);
    this.#roundMs = other.#roundMs;
  }

  leave(client: ClientId): void {
    this.#connected.delete(client);
    this.#waiting.delete(client);
    this.#resting.delete(client);
  }

  /** Does not ask a client before `round`; infinity for never again. Known until the process ends: each device keeps to it itself. */
  rest(client: ClientId, round: number): void {
    this.#restsUntil.set(client, Math.max(round, this.#restsUntil.get(client) ?? 0));
    if (this.#waiting.delete(client)) this.#resting.add(client);
  }

  /** Counts a client's part in a round: it rests for the least separation, and for good once it took part as often as it may. */
  tookPart(client: ClientId, round: number, { most, separation }: Participation): void {
    const parts = (this.#parts.get(client) ?? 0) + 1;
    this.#parts.set(client, parts);
    this.rest(client, parts < most ? round + separation : Number.POSITIVE_INFINITY);
  }

  /** Lets those wait again whose rest ends with `round`. */
  wake(round: number): void {
    for (const [client, until] of this.#restsUntil) {
      if (until > round) continue;
      this.#restsUntil.delete(client);
      if (this.#resting.delete(client)) this.#waiting.add(client);
    }
  }

  /** Lets a client wait, or sends it away for a while where far more wait than a round of `needed` takes. */
  checkIn(client: ClientId, needed: number): Extract<Reply, { type: 'waiting' | 'later' }> {
    this.#connected.add(client);
    const facts = { waiting: this.#waiting.size + 1, needed, roundMs: this.#roundMs };
    const answer = pace(facts, this.selection.uint32() / 2 ** 32);
    if (answer.kind === 'later') return { type: 'later', retryAfterMs: answer.retryAfterMs };
    (this.#restsUntil.has(client) ? this.#resting : this.#waiting).add(client);
    return { type: 'waiting', checkAgainMs: answer.checkAgainMs };
  }

  /**
   * `count` of those who wait, uniformly; {@link Lobby.take} takes them. Sorted first, so that the draw does not depend on who came
   * first.
   */
  select(count: number): ClientId[] {
    const { pool } = this;
    const wanted = Math.min(count, pool.length);
    for (let at = 0; at < wanted; at++) {
      const other = at + this.draw(pool.length - at);
      [pool[at], pool[other]] = [pool[other] as ClientId, pool[at] as ClientId];
    }
    return pool.slice(0, wanted);
  }

  /**
   * A Poisson sample: each of those who wait with chance `sampling` (rounded down to 2⁻⁵³), independently of everybody else. They
   * still wait; {@link Lobby.take} takes them.
   */
  sample(sampling: number): ClientId[] {
    const threshold = Math.floor(sampling * 2 ** 53);
    return this.pool.filter(() => this.#draw53() < threshold);
  }

  /** Those are asked, and no longer wait. */
  take(clients: readonly ClientId[]): void {
    for (const client of clients) this.#waiting.delete(client);
  }

  /** An integer in [0, 2⁵³). */
  #draw53(): number {
    return this.selection.uint32() * 2 ** 21 + (this.selection.uint32() >>> 11);
  }

  /** An integer in [0, bound). */
  draw(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let word = this.selection.uint32();
    while (word >= limit) word = this.selection.uint32();
    return word % bound;
  }

  /** Learns how long rounds take. */
  observeRound(told: number): void {
    const durationMs = Math.min(told, this.longestRoundMs);
    this.#roundMs = (1 - NEWEST_WEIGHT) * this.#roundMs + NEWEST_WEIGHT * durationMs;
  }
}
