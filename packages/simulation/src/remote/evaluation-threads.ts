import { EnvironmentError } from '@tutti/base';
import type { PersonRanking } from '@tutti/evaluation';
import { openThreads, type Threads } from '../pool.ts';
import type { EvaluationRequest, EvaluationSetup } from '../thread.ts';

/** A thread that nobody asked anything for so long ends, in milliseconds. */
const IDLE_MS = 30_000;

/** What a thread gave, and its engine. */
export interface Evaluated {
  readonly backend: string;
  readonly rankings: readonly PersonRanking[];
}

/** One thread, for checkpoints of one model. */
interface Idle {
  readonly name: string;
  readonly threads: Threads;
  readonly ends: NodeJS.Timeout;
}

/** Threads that rank for people, as many as are asked at a time; each goes on to the next shard of its model. */
export class EvaluationThreads {
  readonly #idle: Idle[] = [];
  readonly #open = new Set<Threads>();
  #closed = false;

  /** @param most threads that may be open: who asks more at a time waits for nobody, and must not. */
  constructor(private readonly most: number) {}

  /** @throws what the thread throws, or where it did not answer in `limitMs`. */
  async evaluate(setup: EvaluationSetup, request: EvaluationRequest, limitMs: number): Promise<Evaluated> {
    const name = JSON.stringify(setup);
    const threads = await this.#take(name, setup);
    let tooLate: NodeJS.Timeout | undefined;
    try {
      const rankings = await Promise.race([
        threads.ask(0, request),
        new Promise((_, reject) => {
          tooLate = setTimeout(
            () => reject(new EnvironmentError(`a thread did not rank in ${limitMs / 1_000} s`)),
            limitMs,
          );
        }),
      ]);
      this.#giveBack(name, threads);
      return { backend: threads.backend, rankings: rankings as readonly PersonRanking[] };
    } catch (error) {
      await this.#end(threads);
      throw error;
    } finally {
      clearTimeout(tooLate);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { ends } of this.#idle) clearTimeout(ends);
    await Promise.all([...this.#open].map((threads) => this.#end(threads)));
  }

  async #take(name: string, setup: EvaluationSetup): Promise<Threads> {
    const at = this.#idle.findIndex((one) => one.name === name);
    const [found] = at < 0 ? [] : this.#idle.splice(at, 1);
    if (found !== undefined) {
      clearTimeout(found.ends);
      return found.threads;
    }
    const [oldest] = this.#open.size < this.most ? [] : this.#idle.splice(0, 1);
    if (oldest !== undefined) {
      clearTimeout(oldest.ends);
      await this.#end(oldest.threads);
    }
    const opened = await openThreads(1, setup, async () => undefined);
    this.#open.add(opened);
    if (this.#closed) await this.#end(opened);
    return opened;
  }

  #giveBack(name: string, threads: Threads): void {
    if (this.#closed) return;
    const ends = setTimeout(() => {
      const at = this.#idle.findIndex((one) => one.threads === threads);
      if (at >= 0) this.#idle.splice(at, 1);
      void this.#end(threads);
    }, IDLE_MS);
    this.#idle.push({ name, threads, ends });
  }

  async #end(threads: Threads): Promise<void> {
    this.#open.delete(threads);
    await threads.close();
  }
}
