import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Ledger } from './ledger.ts';

/** A process full of clients. */
export function clientHost(
  folder: string,
  url: string,
  first: number,
  count: number,
  ledger: Ledger,
  on: readonly string[] = [],
): Helper {
  const script = fileURLToPath(new URL('client-host.ts', import.meta.url));
  const source = fileURLToPath(import.meta.resolve('@tutti/base/package.json')).replace(
    /package\.json$/,
    'source.js',
  );
  const args = ['--import', source, script, url, folder, `${first}`, `${count}`];
  return helper(args, (line) => ledger.hear(line), on);
}

/** A process that nobody waits for when it starts. */
export interface Helper {
  start(): void;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** @param on what its command line begins with. */
export function helper(
  args: readonly string[],
  hear: (line: string) => void,
  on: readonly string[] = [],
): Helper {
  let child: ChildProcess | undefined;
  const start = (): void => {
    const [program = '', ...words] = [...on, process.execPath, ...args];
    child = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    let rest = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) hear(line);
    });
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  return {
    ...{ start, kill },
    async restart() {
      await kill();
      start();
    },
  };
}
