import { runCli } from '@tutti/cli';
import { vi } from 'vitest';

/** How a command ended, and what it said. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs `tutti` within this process: starting Node costs more than most commands. */
export async function tuttiHere(args: readonly string[]): Promise<Ended> {
  const output = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      output[name] += chunk.toString();
      return true;
    }),
  );
  const listened = SIGNALS.map((signal) => [signal, process.listeners(signal)] as const);
  try {
    return { code: await runCli(args), ...output };
  } finally {
    for (const spy of spies) spy.mockRestore();
    // A command listens until its process ends, and this one goes on.
    for (const [signal, before] of listened)
      for (const listener of process.listeners(signal))
        if (!before.includes(listener)) process.off(signal, listener);
  }
}
