import type { Clock } from './ports.ts';

/** Something that is done once after a while, unless it is called off before. */
export class Later {
  #cancel: (() => void) | undefined;

  constructor(private readonly clock: Pick<Clock, 'after'>) {}

  /** Whether it is still to be done. */
  get isDue(): boolean {
    return this.#cancel !== undefined;
  }

  /** What is due already stays as it is. */
  once(afterMs: number, work: () => void): void {
    this.#cancel ??= this.clock.after(afterMs, () => {
      this.#cancel = undefined;
      work();
    });
  }

  callOff(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
