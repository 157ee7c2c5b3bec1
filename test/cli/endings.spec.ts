import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const bin = fileURLToPath(import.meta.resolve('@tutti/cli/package.json')).replace(
  /package\.json$/,
  'bin/tutti.js',
);
const folder = mkdtempSync(join(tmpdir(), 'tutti-endings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** What a process said, and its exit code, once every process that holds its output is gone. */
function ended(child: ChildProcess, onOutput: (output: string) => void = () => undefined): Promise<Ended> {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => onOutput((output += chunk.toString())));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

/** A configuration of a coordinator that keeps its things in `name`. */
function configured(name: string): string[] {
  const path = join(folder, `${name}.json`);
  const tasks = [{ name: 'films', catalogue: { ids: ['a', 'b'] } }];
  writeFileSync(path, JSON.stringify({ listen: { port: 0 }, store: `lmdb:${join(folder, name)}`, tasks }));
  return [bin, 'coordinator', '--config', path];
}

describe('a command ends', () => {
  it('by SIGTERM as a service does: its lock is gone, exit code 0', async () => {
    const child = spawn(process.execPath, configured('term'));
    const { code } = await ended(child, (output) => output.includes('Ctrl-C stops it') && child.kill());
    expect(code).toBe(0);
    expect(existsSync(join(folder, 'term', 'pid'))).toBe(false);
  }, 60_000);

  it('with the shell of npm, which SIGTERM reaches in its place', async () => {
    const command = configured('npm')
      .map((part) => `"${part}"`)
      .join(' ');
    const shell = spawn('sh', ['-c', `"${process.execPath}" ${command}; true`], {
      env: { ...process.env, npm_lifecycle_event: 'start' },
    });
    const { output } = await ended(shell, (said) => said.includes('Ctrl-C stops it') && shell.kill());
    expect(output).toContain('stopping …');
    expect(existsSync(join(folder, 'npm', 'pid'))).toBe(false);
  }, 60_000);

  it('quietly and cleanly when whoever read its output is gone', async () => {
    const args = ['start', '--clients', '16', '--port', '0', '--data-dir', join(folder, 'piped')];
    const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.once('data', () => child.stdout.destroy());
    const { code, output } = await ended(child);
    expect(code).toBe(130);
    expect(output).not.toMatch(/\n\s+at /);
    expect(existsSync(join(folder, 'piped', 'coordinator', 'pid'))).toBe(false);
  }, 60_000);

  it('by name where something else than a coordinator answers', async () => {
    const web = createServer((_request, response) => response.end('<html>'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    const { code, output } = await ended(spawn(process.execPath, [bin, 'status', '--coordinator', url]));
    web.close();
    expect([code, output]).toEqual([1, expect.stringContaining('answers, but not with JSON')]);
  }, 60_000);
});
