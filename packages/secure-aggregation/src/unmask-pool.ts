import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { wipe } from '@tutti/base';
import { addInto } from './ring.ts';
import {
  batchesOf,
  UnmaskingError,
  wipeMasks,
  type RecoveredMasks,
  type RecoveredSecret,
  type Unmasker,
} from './unmask.ts';

/** How masks are removed on worker threads. */
export interface UnmaskPoolOptions {
  /** Threads; default the number of cores, at most 8. */
  readonly workers?: number;
  /** Time that one sum may take, in milliseconds; default 120000. */
  readonly timeoutMs?: number;
}

/** A batch for a thread: its masks are taken from `target`. Secrets and target lie in shared memory, so no copy of them is made. */
export interface UnmaskRequest {
  readonly id: number;
  readonly target: Uint32Array;
  readonly cohortDigest: RecoveredMasks['cohortDigest'];
  readonly batch: readonly RecoveredSecret[];
}

/** What a thread answers: the batch is done, or why not. */
export interface UnmaskAnswer {
  readonly id: number;
  readonly problem?: string;
}

const MOST_WORKERS = 8;
const TIMEOUT_MS = 120_000;

/** Batches that a thread holds: one in work, and one to go on with. */
const IN_FLIGHT = 2;

/** Sums that may wait for the one in work; more are refused. */
const MOST_WAITING = 64;

/**
 * Removes masks on worker threads, which start with the first sum, or when one is announced, and stay for the next. Memory: one vector a thread beside the sum, whatever the number
 * of clients. A thread that ends or fails ends its sum with an {@link UnmaskingError}, and is replaced for the next.
 */
export function openUnmaskPool(options: UnmaskPoolOptions = {}): Unmasker {
  return new UnmaskPool(options);
}

class UnmaskPool implements Unmasker {
  readonly #threads: UnmaskThread[] = [];
  readonly #count: number;
  readonly #timeoutMs: number;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor({ workers, timeoutMs = TIMEOUT_MS }: UnmaskPoolOptions) {
    this.#count = workers ?? Math.min(MOST_WORKERS, availableParallelism());
    this.#timeoutMs = timeoutMs;
  }

  /** Starts the threads that are not there: at first all, later those that replace what ended. */
  prepare(): void {
    if (this.#closed) return;
    for (let i = 0; i < this.#count; i++)
      if (this.#threads[i] === undefined || this.#threads[i]?.gone !== undefined)
        this.#threads[i] = new UnmaskThread();
  }

  async remove(sum: Uint32Array, masks: RecoveredMasks): Promise<void> {
    try {
      if (this.#closed) throw new UnmaskingError('the threads that remove masks are closed');
      if (this.#waiting > MOST_WAITING)
        throw new UnmaskingError(
          `${this.#waiting} sums wait for their masks to be removed; no more are taken`,
        );
      this.#waiting++;
      const work = this.#last.then(() => this.#removeNow(sum, masks));
      this.#last = work.catch(() => undefined);
      await work.finally(() => this.#waiting--);
    } finally {
      wipeMasks(masks);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.map((thread) => thread.end('the threads that remove masks were closed')));
  }

  async #removeNow(sum: Uint32Array, masks: RecoveredMasks): Promise<void> {
    if (this.#closed) throw new UnmaskingError('the threads that remove masks are closed');
    this.prepare();
    const batches = batchesOf(masks.secrets);
    const targets: Uint32Array[] = [];
    const tooSlow = setTimeout(
      () => this.#threads.map((thread) => thread.end(`masks took longer than ${this.#timeoutMs} ms`)),
      this.#timeoutMs,
    );
    try {
      await Promise.all(
        this.#threads.map((thread) => feed(thread, masks.cohortDigest, batches, sum.length, targets)),
      );
    } finally {
      clearTimeout(tooSlow);
    }
    for (const target of targets) addInto(sum, target);
  }
}

/** Gives a thread batches until there are no more; its part of the sum is added to `targets` when it gets its first. */
async function feed(
  thread: UnmaskThread,
  cohortDigest: RecoveredMasks['cohortDigest'],
  batches: Generator<readonly RecoveredSecret[]>,
  words: number,
  targets: Uint32Array[],
): Promise<void> {
  let target: Uint32Array | undefined;
  const pull = async (): Promise<void> => {
    for (let next = batches.next(); next.done !== true; next = batches.next()) {
      if (target === undefined) targets.push((target = sharedWords(words)));
      await thread.remove(target, cohortDigest, next.value);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, pull));
}

const sharedWords = (words: number): Uint32Array => new Uint32Array(new SharedArrayBuffer(4 * words));

/** From source, a thread needs the loader that this process runs under; a built package needs nothing. */
const fromSource = import.meta.url.endsWith('.ts');
const workerUrl = new URL(fromSource ? './unmask-worker.ts' : './unmask-worker.js', import.meta.url);

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: UnmaskingError) => void;
}

/** One worker thread. It keeps the process alive only while it has something to do. */
class UnmaskThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  /** Why it does nothing any more. */
  gone: UnmaskingError | undefined;

  constructor() {
    const execArgv = fromSource ? ['--import', import.meta.resolve('@tutti/base/source')] : [];
    this.#worker = new Worker(workerUrl, { execArgv });
    this.#worker.unref();
    this.#worker.on('message', (answer: UnmaskAnswer) => this.#settle(answer));
    this.#worker.on('error', (cause) => this.#fail(`a thread failed: ${cause.message}`, cause));
    this.#worker.on('exit', (code) => this.#fail(`a thread ended with code ${code}`));
  }

  /** Hands a batch over; its secrets move into memory that this side wipes too, whatever becomes of the thread. */
  async remove(
    target: Uint32Array,
    cohortDigest: RecoveredMasks['cohortDigest'],
    batch: readonly RecoveredSecret[],
  ): Promise<void> {
    if (this.gone !== undefined) throw this.gone;
    const moved = batch.map((one) => ({ ...one, secret: moveToShared(one.secret) }));
    const id = this.#nextId++;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        this.#worker.ref();
        this.#worker.postMessage({ id, target, cohortDigest, batch: moved } satisfies UnmaskRequest);
      });
    } finally {
      wipe(...moved.map(({ secret }) => secret));
    }
  }

  async end(reason: string): Promise<void> {
    this.#fail(reason);
    await this.#worker.terminate();
  }

  #settle({ id, problem }: UnmaskAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (problem === undefined) waiting?.resolve();
    else waiting?.reject(new UnmaskingError(problem));
  }

  #fail(reason: string, cause?: Error): void {
    this.gone ??= new UnmaskingError(reason, { cause });
    for (const { reject } of this.#waiting.values()) reject(this.gone);
    this.#waiting.clear();
    this.#worker.unref();
  }
}

function moveToShared(secret: Uint8Array): Uint8Array {
  const moved = new Uint8Array(new SharedArrayBuffer(secret.length));
  moved.set(secret);
  wipe(secret);
  return moved;
}
