import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EnvironmentError } from '@tutti/base';
import type { FromPopulation, PopulationSetup, ToPopulation } from './population-ipc.ts';

/** The background population, in a process of its own. */
export interface Population {
  /** Lets its devices take part; more than once is once. */
  begin(): void;
  /** Rejects if the process ends before it is told to. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/** How long the process may take to open its clients, and to close them before it is killed, in milliseconds. */
const READY_MS = 60_000;
const STOP_MS = 5_000;

const entry = fileURLToPath(new URL('./population-process.ts', import.meta.url));

/** Starts the population and waits until every client is open; nothing is left where that fails. */
export async function startPopulation(setup: PopulationSetup, signal?: AbortSignal): Promise<Population> {
  const child = fork(entry, [], {
    execArgv: ['--import', import.meta.resolve('@tutti/base/source')],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const over = new AbortController();
  const failed = failureOf(child, over.signal);
  const send = (message: ToPopulation): void => void (child.connected && child.send(message));
  const stop = async (): Promise<void> => {
    over.abort();
    await ended(child);
  };
  try {
    send({ kind: 'setup', setup });
    await Promise.race([readiness(child, signal), failed]);
    return { begin: () => send({ kind: 'begin' }), failed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function failureOf(child: ChildProcess, over: AbortSignal): Promise<never> {
  const failed = new Promise<never>((_, reject) => {
    child.on('error', (cause) =>
      reject(new EnvironmentError(`no process for the population: ${cause.message}`)),
    );
    child.on('exit', (code) => {
      if (!over.aborted)
        reject(new EnvironmentError(`the population's process ended with code ${code ?? 'none'}`));
    });
    child.on('message', (message: FromPopulation) => {
      if (message.kind === 'failed')
        reject(new EnvironmentError(`the population failed: ${message.message}`));
    });
  });
  failed.catch(() => undefined);
  return failed;
}

function readiness(child: ChildProcess, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = new EnvironmentError(`the population was not ready in ${READY_MS / 1_000} s`);
    const timer = setTimeout(() => reject(late), READY_MS);
    const stop = (): void => reject(signal?.reason as Error);
    const settle = (message: FromPopulation): void => {
      if (message.kind !== 'ready') return;
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      resolve();
    };
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop, { once: true });
    child.on('message', settle);
    child.once('exit', () => clearTimeout(timer));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // The process stops when nobody talks to it any more.
  if (child.connected) child.disconnect();
  const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(kill);
}
