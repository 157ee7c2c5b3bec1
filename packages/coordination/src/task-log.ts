import { createLedger, spent, type Ledger, type Spent } from '@tutti/privacy';
import { JournalWriteError } from './errors.ts';
import { applyEntry, EMPTY_HISTORY, type TaskHistory } from './history.ts';
import { decodeJournalEntry, type JournalEntry } from './journal.ts';
import type { Store } from './ports.ts';
import { addRelease, type ReleaseRecord } from './release.ts';

/** A task's history and the ε that it spent. Nothing is known here that the journal does not hold. */
export class TaskLog {
  #history: TaskHistory = EMPTY_HISTORY;
  #ledger: Ledger;
  #epsilon: Spent | null = null;

  /**
   * @param counting `dpDelta`: δ at which ε is told; undefined where ε is not counted. `participationCap`: most rounds that a device
   *   takes part in, where devices keep to one.
   */
  constructor(
    private readonly task: string,
    private readonly store: Store,
    private readonly counting: { readonly dpDelta?: number; readonly participationCap?: number },
  ) {
    this.#ledger = this.#emptyLedger();
  }

  get history(): TaskHistory {
    return this.#history;
  }

  /** ε spent so far; null where it is not counted. */
  get epsilon(): Spent | null {
    return this.#epsilon;
  }

  /** Replays the journal. @throws {DecodeError} naming the entry's field that is wrong. */
  async replay(): Promise<void> {
    const entries = await this.store.readJournal(this.task);
    this.#history = entries.map(decodeJournalEntry).reduce(applyEntry, EMPTY_HISTORY);
    this.#ledger = this.#history.releases.reduce(addRelease, this.#emptyLedger());
    this.#epsilon = this.#spent(this.#ledger);
  }

  /** Writes an entry; it counts from when it is durable. @throws {JournalWriteError} */
  async append(entry: JournalEntry): Promise<void> {
    try {
      await this.store.appendJournal(this.task, this.#history.length, [entry]);
    } catch (cause) {
      throw new JournalWriteError(this.task, { cause });
    }
    this.#history = applyEntry(this.#history, entry);
    if (!('release' in entry) || entry.release === null) return;
    this.#ledger = addRelease(this.#ledger, entry.release);
    this.#epsilon = this.#spent(this.#ledger);
  }

  /** ε as it will be when `release` is out. */
  epsilonWith(release: ReleaseRecord | null): Spent | null {
    return release === null ? null : this.#spent(addRelease(this.#ledger, release));
  }

  #emptyLedger(): Ledger {
    const { participationCap } = this.counting;
    return createLedger(participationCap === undefined ? {} : { participationCap });
  }

  #spent(ledger: Ledger): Spent | null {
    const { dpDelta } = this.counting;
    return dpDelta === undefined ? null : spent(ledger, dpDelta);
  }
}
