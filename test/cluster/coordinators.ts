import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CoordinatorConfigInput } from '@tutti/server';

/** Coordinators of a cluster as an operator starts them: `tutti coordinator --config FILE`, each in a process of its own. */

/** The command's file. */
export const TUTTI = fileURLToPath(import.meta.resolve('@tutti/cli/package.json')).replace(
  /package\.json$/,
  'bin/tutti.js',
);

/** A coordinator that can be killed, paused and started again, always at the same address. */
export interface Process {
  readonly url: string;
  /** Its configuration's. */
  readonly file: string;
  readonly output: () => string;
  /** While it runs. */
  readonly pid: () => number | undefined;
  /** Starts it, unless it runs. */
  start(): Promise<void>;
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void;
  /** Resolves when it has ended. */
  ended(): Promise<void>;
}

/** Where a process runs. */
export interface Place {
  readonly address: string;
  /** What its command line begins with. */
  readonly on: readonly string[];
}

/** On this machine, as it is. */
export const HERE: Place = { address: '127.0.0.1', on: [] };

/** How long one may take to start, in milliseconds: a machine with much else to do takes its time. */
const START_MS = 180_000;
/** What is kept of what it says. */
const MOST_OUTPUT = 20_000;

export async function coordinatorProcess(
  folder: string,
  name: string,
  config: Omit<CoordinatorConfigInput, 'listen'>,
  { address, on }: Place = HERE,
): Promise<Process> {
  const port = await freePort();
  const url = `http://${address}:${port}`;
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ ...config, listen: { host: address, port } }));
  let child: ChildProcess | undefined;
  let output = '';
  const runs = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    url,
    file,
    output: () => output,
    pid: () => (runs() ? child?.pid : undefined),
    async start() {
      if (runs()) return;
      const [program, ...args] = [...on, process.execPath];
      child = spawn(program ?? '', [...args, TUTTI, 'coordinator', '--config', file], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child.stderr?.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-MOST_OUTPUT)));
      const deadline = Date.now() + START_MS;
      while (!(await answers(url))) {
        if (!runs()) throw new Error(`${name} ended: ${output}`);
        if (Date.now() > deadline) throw new Error(`${name} did not start: ${output}`);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    },
    signal: (signal) => void child?.kill(signal),
    async ended() {
      if (runs()) await new Promise((resolve) => child?.once('exit', resolve));
    },
  };
}

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
    ({ ok }) => ok,
    () => false,
  );

export interface RoundLine {
  readonly round: number;
  readonly modelHash: string;
  readonly previousModelHash: string;
}

/** The rounds that one of them tells. */
export async function roundsOf(url: string): Promise<RoundLine[]> {
  const response = await fetch(`${url}/v1/tasks/films/rounds`, { signal: AbortSignal.timeout(3_000) });
  return ((await response.json()) as { rounds: RoundLine[] }).rounds;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
