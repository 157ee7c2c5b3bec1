import { Worker } from 'node:worker_threads';
import { EnvironmentError, InternalError, UsageError } from '@tutti/base';
import { declineReason } from '@tutti/client';
import { mayLoadTensorflow, wideKernel } from '@tutti/engine-simd/node';
import { createModel } from '@tutti/model';
import type { DevicePool, FetchBlob } from './device-pool.ts';
import { hostedDevices } from './hosted-devices.ts';
import { simulatedAuthority } from './identity.ts';
import { simulatedPolicy } from './simulated-device.ts';
import type {
  ContributionRequest,
  Declining,
  EvaluationRequest,
  EvaluationSetup,
  FromThread,
  ThreadAnswers,
  ThreadRequest,
  ThreadSetup,
  ToThread,
} from './thread.ts';

/** One worker thread and the requests it has not answered. */
interface Thread {
  readonly worker: Worker;
  readonly pending: Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>;
  /** Why it answers nothing any more. */
  gone?: Error;
}

/** From source, a thread needs the loader that this process runs under; a built package needs nothing. */
const fromSource = import.meta.url.endsWith('.ts');
const workerUrl = new URL(fromSource ? './worker.ts' : './worker.js', import.meta.url);

/** Threads of this process, each with its engine ready. */
export interface Threads {
  readonly size: number;
  readonly backend: string;
  readonly notes: readonly string[];
  /** Asks one of them; it answers in order. */
  ask(thread: number, request: ThreadRequest | EvaluationRequest | ContributionRequest): Promise<unknown>;
  close(): Promise<void>;
}

/** Threads with the devices of a population; those of plain attempts are hosted, and exchange no messages. */
export async function openThreadPool(
  size: number,
  setup: ThreadSetup,
  fetchBlob: FetchBlob,
): Promise<DevicePool> {
  const { ask, ...threads } = await openThreads(size, setup, fetchBlob);
  const policy = simulatedPolicy(setup, simulatedAuthority(setup.seed));
  const deliverHosted = hostedDevices(
    setup,
    (description) => declineReason(policy, setup.task, description, 0),
    (thread, request) => ask(thread, request) as Promise<readonly Declining[]>,
  );
  const answered = (thread: number, request: ThreadRequest): Promise<unknown> =>
    request.kind === 'deliver' && setup.protocol === 'plain'
      ? deliverHosted(thread, request.deliveries)
      : ask(thread, request);
  return {
    ...threads,
    // A thread answers each kind of request with that kind of answer.
    ask: <Kind extends keyof ThreadAnswers>(
      thread: number,
      request: Extract<ThreadRequest, { kind: Kind }>,
    ) => answered(thread, request) as Promise<ThreadAnswers[Kind]>,
  };
}

let lastTurn: Promise<unknown> = Promise.resolve();

/** One after another in this process: libtensorflow crashes where two of its threads load it at once. */
function inTurn<Started>(start: () => Promise<Started>): Promise<Started> {
  const turn = lastTurn.then(start);
  lastTurn = turn.catch(() => undefined);
  return turn;
}

/**
 * Starts `size` threads of this process and waits until each has its backend ready.
 * @throws {UsageError} as a thread that does not start with what it is given. @throws {EnvironmentError} where one failed.
 */
export async function openThreads(
  size: number,
  setup: ThreadSetup | EvaluationSetup,
  fetchBlob: FetchBlob,
): Promise<Threads> {
  const execArgv = fromSource ? ['--import', import.meta.resolve('@tutti/base/source')] : [];
  const workerData = { ...setup, kernel: await wideKernel() } satisfies typeof setup;
  const workers: Worker[] = [];
  const start = (): ReturnType<typeof startThread> => {
    const worker = new Worker(workerUrl, { workerData, execArgv });
    workers.push(worker);
    return startThread(worker, fetchBlob);
  };
  const items = 'population' in setup ? setup.population.items : setup.items;
  const careful = mayLoadTensorflow({ ...setup, model: createModel(setup.model, items) });
  const starts = Array.from({ length: size }, () => (careful ? inTurn(start) : start()));
  const started = await Promise.all(starts).catch(async (error: unknown) => {
    // Those whose turn is still to come start first: none is left behind.
    await Promise.allSettled(starts);
    await Promise.all(workers.map((worker) => worker.terminate()));
    throw error;
  });
  let nextId = 0;
  return {
    size,
    backend: started[0]?.backend ?? 'none',
    notes: started[0]?.notes ?? [],
    ask(thread, request) {
      const { worker, pending, gone } = (started[thread] as (typeof started)[number]).thread;
      if (gone !== undefined) return Promise.reject(gone);
      const id = nextId++;
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject });
        worker.postMessage({ id, request } satisfies ToThread);
      });
    },
    async close() {
      await Promise.all(started.map(({ thread }) => thread.worker.terminate()));
    },
  };
}

function startThread(
  worker: Worker,
  fetchBlob: FetchBlob,
): Promise<{ thread: Thread; backend: string; notes: readonly string[] }> {
  const thread: Thread = { worker, pending: new Map() };
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      thread.gone ??= cause;
      reject(cause);
      for (const { reject: refuse } of thread.pending.values()) refuse(cause);
      thread.pending.clear();
    };
    worker.on('error', (cause) =>
      fail(new EnvironmentError(`a simulation thread failed: ${cause.message}`, { cause })),
    );
    worker.on('exit', (code) => fail(new EnvironmentError(`a simulation thread ended with code ${code}`)));
    worker.on('message', (message: FromThread) => {
      if ('ready' in message) resolve({ thread, backend: message.backend, notes: message.notes });
      else if ('refused' in message && !('id' in message)) fail(new UsageError(message.refused));
      else if ('fetch' in message) answerFetch(worker, message.fetch, fetchBlob).catch(fail);
      else settle(thread, message);
    });
  });
}

async function answerFetch(worker: Worker, hash: string, fetchBlob: FetchBlob): Promise<void> {
  const bytes = await fetchBlob(hash);
  worker.postMessage({ blob: hash, bytes } satisfies ToThread);
}

function settle(thread: Thread, message: Extract<FromThread, { id: number }>): void {
  const waiting = thread.pending.get(message.id);
  thread.pending.delete(message.id);
  if ('refused' in message) waiting?.reject(new UsageError(message.refused));
  else if ('error' in message) waiting?.reject(new InternalError(message.error));
  else waiting?.resolve(message.answer);
}
