import {
  applyEntry,
  decodeJournalEntry,
  EMPTY_HISTORY,
  type CoordinationEvent,
  type RoundRecord,
  type Store,
  type TaskStatus,
} from '@tutti/coordination';
import type { TaskInfo } from '@tutti/protocol';

/** How a task stands, as its owner tells it; its rounds as the journal holds them. */
export class TaskView {
  info: TaskInfo | undefined;
  status: TaskStatus | undefined;
  /** Looks at candidates that were heard of. */
  looks = 0;
  #rounds: readonly RoundRecord[] = [];
  #work: Promise<unknown> = Promise.resolve();
  #isDoubted = false;

  constructor(
    private readonly task: string,
    private readonly store: Pick<Store, 'readJournal'>,
  ) {}

  get rounds(): readonly RoundRecord[] {
    return this.#rounds;
  }

  /** Another owner runs the task: its journal is read again, since a database that lost its last commits has other rounds. */
  doubt(): void {
    this.#isDoubted = true;
  }

  /**
   * Takes what an owner tells, one after another, and then calls back with it. A round that follows those that are known is taken from
   * its event, any other from the journal, so that rounds never miss one.
   */
  hear(
    told: { readonly info: TaskInfo; readonly status: TaskStatus; readonly event?: CoordinationEvent },
    heard: (event: CoordinationEvent) => void,
  ): void {
    const { info, status, event } = told;
    this.#work = this.#work.then(async () => {
      if (this.#isDoubted) await this.#read();
      else if (event?.type === 'committed') await this.#commit(event.record);
      else if (this.#rounds.length !== status.round) await this.#read();
      this.info = info;
      this.status = status;
      if (event?.type === 'compared') this.looks++;
      if (event !== undefined) heard(event);
    });
  }

  async #commit(record: RoundRecord): Promise<void> {
    if (record.round === this.#rounds.length + 1) this.#rounds = [...this.#rounds, record];
    else if (this.#rounds.at(-1)?.round !== record.round) await this.#read();
  }

  async #read(): Promise<void> {
    try {
      this.#isDoubted = false;
      const entries = await this.store.readJournal(this.task);
      this.#rounds = entries.map(decodeJournalEntry).reduce(applyEntry, EMPTY_HISTORY).rounds;
    } catch {
      // The next word of its owner is another occasion.
      this.#isDoubted = true;
    }
  }
}
