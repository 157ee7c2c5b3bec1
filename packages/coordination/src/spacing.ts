import type { AttemptEndReason } from './journal.ts';
import { Later } from './later.ts';
import type { Clock } from './ports.ts';

/** The ways an attempt can end as soon as it began: what ended it may be there for days, such as a policy of the devices. */
const AT_ONCE: ReadonlySet<AttemptEndReason> = new Set([
  'too-few-ready',
  'too-few-clients',
  'internal-error',
]);

const FIRST_MS = 1_000;
const MOST_MS = 30_000;

/** How far apart attempts begin, in milliseconds, after `failures` in a row that can end at once: 1 s, 2 s, 4 s, at most 30 s. */
export function spacingAfter(failures: number): number {
  return failures === 0 ? 0 : Math.min(MOST_MS, FIRST_MS * 2 ** (failures - 1));
}

/** Keeps a task from beginning one attempt after another that nobody takes part in. */
export class Spacing {
  #failures = 0;
  readonly #next: Later;

  constructor(clock: Pick<Clock, 'after'>) {
    this.#next = new Later(clock);
  }

  /** Whether the next attempt has to wait. */
  get holds(): boolean {
    return this.#next.isDue;
  }

  /** An attempt came to something. */
  succeeded(): void {
    this.#failures = 0;
  }

  /**
   * An attempt came to nothing.
   * @param tookMs what it took counts.
   * @param again is called when the next one may begin, unless that is now.
   * @returns when that is, in milliseconds from now.
   */
  failed(reason: AttemptEndReason, tookMs: number, again: () => void): number {
    this.release();
    if (!AT_ONCE.has(reason)) return 0;
    const waitMs = Math.max(0, spacingAfter(++this.#failures) - tookMs);
    if (waitMs > 0) this.#next.once(waitMs, again);
    return waitMs;
  }

  /** Holds nothing any more: somebody asks for an attempt, or there is none to come. */
  release(): void {
    this.#next.callOff();
  }
}
