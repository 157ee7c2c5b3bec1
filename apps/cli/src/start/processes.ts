import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CommandError, EXIT } from '../exit-codes.ts';
import { unlessAborted } from '../signals.ts';
import type { FromPopulation, Listed, PopulationSetup, ToPopulation } from './ipc.ts';

/** The population's processes, seen from the main process. */
export interface PopulationProcesses {
  readonly backend: string;
  readonly notes: readonly string[];
  /** Item ids for person `user`, computed on that person's client. */
  recommend(user: number, k: number): Promise<readonly Listed[]>;
  /** Rejects if a process ends before it is told to. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

const fromSource = import.meta.url.endsWith('.ts');
const entry = fileURLToPath(new URL(fromSource ? './population.ts' : './population.js', import.meta.url));

/** How long a process may take to close its clients before it is killed, in milliseconds. */
const STOP_TIMEOUT_MS = 5_000;

/** Starts `count` processes that share the people of `setup`, and waits until every client is open; none is left where that fails. */
export async function startPopulation(
  count: number,
  setup: Omit<PopulationSetup, 'first' | 'step'>,
  signal: AbortSignal,
  onPreparing: (done: number, total: number) => void,
): Promise<PopulationProcesses> {
  const children = Array.from({ length: count }, () => startProcess());
  const prepared = children.map(() => 0);
  let stopping = false;
  const failed = new Promise<never>((_, reject) => {
    for (const { child } of children) {
      child.on('exit', (code) => {
        if (!stopping)
          reject(new CommandError(`a population process ended with code ${code ?? 'none'}`, EXIT.failed));
      });
      child.on('message', (message: FromPopulation) => {
        if (message.kind === 'failed')
          reject(new CommandError(`a population process failed: ${message.message}`, EXIT.failed));
      });
    }
  });
  failed.catch(() => undefined);
  async function stop(): Promise<void> {
    stopping = true;
    await Promise.all(children.map(({ child }) => stopProcess(child)));
  }
  try {
    const ready = Promise.all(
      children.map(({ child, messages }, first) => {
        messages.on((message) => {
          if (message.kind !== 'preparing') return;
          prepared[first] = message.done;
          onPreparing(
            prepared.reduce((sum, n) => sum + n, 0),
            setup.people,
          );
        });
        const answer = messages.next('ready');
        child.send({ kind: 'setup', setup: { ...setup, first, step: count } } satisfies ToPopulation);
        return answer;
      }),
    );
    const [first] = await unlessAborted(signal, Promise.race([ready, failed]));
    let nextId = 0;
    return {
      backend: first?.backend ?? 'none',
      notes: first?.notes ?? [],
      failed,
      stop,
      async recommend(user, k) {
        const { child, messages } = children[user % count] as (typeof children)[number];
        const id = nextId++;
        const answer = messages.next('recommended', (message) => message.id === id);
        child.send({ kind: 'recommend', id, user, k } satisfies ToPopulation);
        return (await Promise.race([answer, failed])).list;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Messages {
  on(listener: (message: FromPopulation) => void): void;
  next<Kind extends FromPopulation['kind']>(
    kind: Kind,
    accept?: (message: Extract<FromPopulation, { kind: Kind }>) => boolean,
  ): Promise<Extract<FromPopulation, { kind: Kind }>>;
}

function startProcess(): { child: ChildProcess; messages: Messages } {
  const execArgv = fromSource ? ['--import', import.meta.resolve('@tutti/base/source')] : [];
  const child = fork(entry, [], { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const messages: Messages = {
    on: (listener) => void child.on('message', listener),
    next: (kind, accept = () => true) =>
      new Promise((resolve) => {
        const listener = (message: FromPopulation): void => {
          const wanted = message as Extract<FromPopulation, { kind: typeof kind }>;
          if (message.kind !== kind || !accept(wanted)) return;
          child.off('message', listener);
          resolve(wanted);
        };
        child.on('message', listener);
      }),
  };
  return { child, messages };
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  if (child.connected) child.send({ kind: 'stop' } satisfies ToPopulation);
  const kill = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(kill);
}
