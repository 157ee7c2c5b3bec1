import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { hasEnded } from './leaving.ts';

const CHILD = fileURLToPath(new URL('leaving-child.ts', import.meta.url));
const SOURCE = fileURLToPath(new URL('../../packages/base/source.js', import.meta.url));

/** How long what is killed may take to be gone, in milliseconds. */
const LIMIT_MS = 20_000;

it.runIf(process.platform === 'linux')(
  'a chaos run whose shell npm ended ends too: npm tells nobody else',
  async () => {
    // Not the last command: the shell stays, as one of npm does.
    const shell = spawn('sh', ['-c', '"$@"; true', 'sh', process.execPath, '--import', SOURCE, CHILD], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, npm_lifecycle_event: 'chaos' },
    });
    const folder = await new Promise<string>((resolve) =>
      shell.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().split('\n')[0] ?? '')),
    );
    const pids = readFileSync(`${folder}/pids`, 'utf8').trim().split('\n').map(Number);
    shell.kill('SIGTERM');
    const isLeft = (): boolean => existsSync(dirname(folder)) || !pids.every(hasEnded);
    for (const until = Date.now() + LIMIT_MS; isLeft() && Date.now() < until;)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isLeft()).toBe(false);
  },
);

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
