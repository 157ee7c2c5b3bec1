import { roundsOf, type RoundLine } from '../cluster/coordinators.ts';

/** How long a round may take to be committed when nobody harms anybody, in milliseconds. */
export const STUCK_MS = 120_000;

/** What clients and operators were told. */
export class Ledger {
  readonly #told = new Map<number, string>();
  readonly #heard = new Set<number>();
  #changed = 0;

  /** The newest round that anybody was told of. */
  get rounds(): number {
    return Math.max(0, ...this.#told.keys());
  }

  /** Why attempts ended that clients took part in. */
  readonly reasons = new Set<string>();

  hear(line: string): void {
    const { outcome, round, reason } = JSON.parse(line) as {
      outcome: string;
      round: number | null;
      reason: string | null;
    };
    if (outcome === 'aborted' && reason !== null) this.reasons.add(reason);
    if (outcome === 'committed' && round !== null) this.#heard.add(round);
  }

  /** Rounds after this one are gone by a harm that takes them: they do not count as lost. @returns how many. */
  forgetAfter(round: number): number {
    const gone = [...this.#told.keys()].filter((told) => told > round);
    for (const one of gone) this.#told.delete(one);
    for (const one of this.#heard) if (one > round) this.#heard.delete(one);
    return gone.length;
  }

  async look(url: string): Promise<void> {
    for (const { round, modelHash } of await roundsOf(url).catch(() => [])) {
      if (this.#told.has(round) && this.#told.get(round) !== modelHash) this.#changed++;
      this.#told.set(round, modelHash);
    }
  }

  /** Whether a round is committed in time. */
  async untilRound(url: string, round: number, limitMs = STUCK_MS): Promise<boolean> {
    const deadline = Date.now() + limitMs;
    while (Date.now() < deadline) {
      await this.look(url);
      if (this.rounds >= round) return true;
      await sleep(100);
    }
    return false;
  }

  /** Rounds that somebody was told of, and that are gone or others now. */
  lostIn(final: readonly RoundLine[]): number {
    const hashes = new Map(final.map(({ round, modelHash }) => [round, modelHash] as const));
    const gone = [...this.#told].filter(([round, hash]) => hashes.get(round) !== hash).length;
    return this.#changed + gone + [...this.#heard].filter((round) => !hashes.has(round)).length;
  }
}

/** Rounds that stand there twice, or do not build on the one before. */
export const doubledIn = (rounds: readonly RoundLine[]): number =>
  rounds.filter(
    ({ round, previousModelHash }, i) =>
      round !== i + 1 || (i > 0 && previousModelHash !== rounds[i - 1]?.modelHash),
  ).length;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
