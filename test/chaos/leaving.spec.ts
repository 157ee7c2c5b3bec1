import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { hasEnded } from './leaving.ts';

const CHILD = fileURLToPath(new URL('leaving-child.ts', import.meta.url));
const SOURCE = fileURLToPath(new URL('../../packages/base/source.js', import.meta.url));

it.runIf(process.platform === 'linux')(
  'a chaos run that gets a signal kills all that it started, and removes its folder',
  async () => {
    const run = spawn(process.execPath, ['--import', SOURCE, CHILD], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<number | null>((resolve) => void run.once('exit', (code) => resolve(code)));
    let said = '';
    const folder = await new Promise<string>((resolve) =>
      run.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('\n')) resolve(said.split('\n')[0] ?? '');
      }),
    );
    const pids = readFileSync(`${folder}/pids`, 'utf8').trim().split('\n').map(Number);
    expect(pids.map(hasEnded)).toEqual([false, false]);
    run.kill('SIGTERM');
    expect(await ended).toBe(143);
    expect(said).toContain('undone');
    expect(pids.map(hasEnded)).toEqual([true, true]);
    expect(existsSync(dirname(folder))).toBe(false);
  },
);
