import { proxy, releaseProxy, wrap } from 'comlink';
import { EnvironmentError } from '@tutti/base';
import { openFacade, type BrowserRecommender, type Link, type OpenOptions } from './facade.ts';
import type { Room } from './room.ts';

/** What a page opens a recommender with. */
export interface RecommenderOptions extends OpenOptions {
  /** A worker of the app's own that calls `serveRecommender`; by default the package's own file. */
  readonly worker?: () => Worker;
}

/** How long a worker may take to say that it is there, in milliseconds. */
const WORKER_MS = 10_000;

/** As a worker says it; see serve-room.ts, which is no part of the page. */
const READY = 'tutti-ready';
const NO_WASM = 'tutti-no-wasm';

/**
 * Opens a person's recommender: a worker that keeps what they do, ranks, and takes part in rounds once they consent. It needs no network.
 * Where the browser allows no worker it runs in the page, and says so.
 *
 * @throws {UsageError} for an option that is not what it must be.
 */
export async function openRecommender(options: RecommenderOptions): Promise<BrowserRecommender> {
  let worker: Worker;
  try {
    worker = await (options.worker === undefined
      ? ownWorker(options.signal)
      : started(options.worker, options.signal));
  } catch (error) {
    if (!(error instanceof WorkerBlocked)) throw error;
    return withoutWorker(options, error);
  }
  return openFacade(options, linkTo(worker));
}

class WorkerBlocked extends EnvironmentError {}
class WasmBlocked extends EnvironmentError {}

/**
 * The package's own worker: the file beside the built one. From the sources it is a bundler that finds it; webpack makes one of two
 * workers that have the same name.
 */
async function ownWorker(signal: AbortSignal | undefined): Promise<Worker> {
  try {
    return await started(
      () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'tutti' }),
      signal,
    );
  } catch (error) {
    if (!(error instanceof WasmBlocked)) throw error;
  }
  return started(
    () =>
      new Worker(new URL('./worker-without-wasm.js', import.meta.url), {
        type: 'module',
        name: 'tutti-without-wasm',
      }),
    signal,
  );
}

function started(start: () => Worker, signal: AbortSignal | undefined): Promise<Worker> {
  return new Promise((resolve, reject) => {
    let worker: Worker;
    const over = new AbortController();
    const fail = (error: Error): void => {
      over.abort();
      worker?.terminate();
      reject(error);
    };
    try {
      worker = start();
    } catch (cause) {
      return fail(new WorkerBlocked('no worker can be started', { cause }));
    }
    const timer = setTimeout(() => fail(new WorkerBlocked(`it did not start in ${WORKER_MS} ms`)), WORKER_MS);
    const whileOpening = { signal: over.signal };
    over.signal.addEventListener('abort', () => clearTimeout(timer));
    signal?.addEventListener('abort', () => fail(signal.reason as Error), whileOpening);
    worker.addEventListener(
      'error',
      ({ message }) => fail(new WorkerBlocked(message || 'its script was refused')),
      whileOpening,
    );
    worker.addEventListener(
      'message',
      ({ data }) => {
        if (data === NO_WASM) fail(new WasmBlocked('WebAssembly does not run in a worker'));
        if (data !== READY) return;
        over.abort();
        resolve(worker);
      },
      whileOpening,
    );
  });
}

function linkTo(worker: Worker): Link {
  const remote = wrap<Room>(worker);
  return {
    room: remote,
    carry: proxy,
    end() {
      remote[releaseProxy]();
      worker.terminate();
    },
  };
}

async function withoutWorker(options: RecommenderOptions, why: Error): Promise<BrowserRecommender> {
  const room = await roomInPage();
  const message = `the browser refused the worker (${why.message}): training runs in the page and may keep it waiting. A content policy needs worker-src 'self'.`;
  if (options.onWarning === undefined) console.warn(`tutti: ${message} (worker-blocked)`);
  else options.onWarning({ type: 'warning', code: 'worker-blocked', message });
  return openFacade(options, { room, carry: (callback) => callback, end: () => undefined });
}

/** The engine room in the page itself, from the file beside the built one. */
async function roomInPage(): Promise<Room> {
  const { href } = new URL('./in-page.js', import.meta.url);
  let file: typeof import('./in-page.ts');
  try {
    file = (await import(/* webpackIgnore: true */ /* @vite-ignore */ href)) as typeof import('./in-page.ts');
  } catch (cause) {
    throw new EnvironmentError(
      `neither worker.js nor ${href} loads: both belong beside the SDK, and without a network the browser must have them in a cache`,
      { cause },
    );
  }
  const room = file.roomInPage();
  if (room === undefined)
    throw new EnvironmentError(
      "this page may start no worker and run no WebAssembly: allow one of them in its content policy (worker-src 'self', script-src 'wasm-unsafe-eval'), or take openRecommender from @tutti/client-browser/in-place, which needs neither",
    );
  return room;
}
