import { runCli } from '@tutti/cli';
import { vi } from 'vitest';

/** How a command ended, and what it said. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tutti` within this process: starting Node costs more than most commands. */
export async function tuttiHere(args: readonly string[]): Promise<Ended> {
  const output = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      output[name] += chunk.toString();
      return true;
    }),
  );
  try {
    return { code: await runCli(args), ...output };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
