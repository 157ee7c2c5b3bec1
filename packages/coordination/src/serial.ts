/** One thing at a time: work is done in the order in which it came. */
export class Serial {
  #queue: Promise<unknown> = Promise.resolve();

  /** @param onFailure hears of work that failed, beside whoever waits for it. */
  constructor(private readonly onFailure: (error: unknown) => void) {}

  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work, work);
    this.#queue = done.catch((error: unknown) => this.onFailure(error));
    return done;
  }

  /** The same for work that nobody waits for. */
  enqueue(work: () => Promise<unknown>): void {
    this.run(work).catch(() => undefined);
  }
}
