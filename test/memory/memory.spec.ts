import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  finderOf,
  searchFiles,
  searchMemory,
  searchText,
  writings,
  type Found,
  type Pattern,
} from './scan.ts';

/**
 * After a round nothing is left of what would open a survivor's update: not in the memory of the coordinator and the clients, not on
 * disk, not in what they say. The whole writable memory of the process is read from outside, so array buffers, freed memory and what
 * libraries hold are in it.
 */

const child = fileURLToPath(new URL('child.ts', import.meta.url));
const source = fileURLToPath(import.meta.resolve('@tutti/base/package.json')).replace(
  /package\.json$/,
  'source.js',
);
const folder = mkdtempSync(join(tmpdir(), 'tutti-memory-'));
const secrets = join(folder, 'secrets');
const home = join(folder, 'home');
const readable = process.platform === 'linux' && existsSync('/proc/self/mem');

let running: ChildProcess;
let output = Buffer.alloc(0);
let patterns: Pattern[] = [];
let found: Found[] = [];

describe.skipIf(!readable)('after a round (needs /proc of Linux)', () => {
  beforeAll(async () => {
    running = spawn(process.execPath, ['--expose-gc', '--import', source, child, home, secrets], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const ready = new Promise<void>((resolve, reject) => {
      running.on('exit', (code) => reject(new Error(`ended with ${code}: ${output.toString()}`)));
      for (const stream of [running.stdout, running.stderr])
        stream?.on('data', (chunk: Buffer) => {
          output = Buffer.concat([output, chunk]);
          if (output.includes('ready\n')) resolve();
        });
    });
    await ready;
    patterns = told();
    const finder = finderOf(writings(patterns));
    process.kill(running.pid as number, 'SIGSTOP');
    try {
      found = [
        ...searchMemory(running.pid as number, finder),
        ...searchFiles(home, finder),
        ...searchText(output, finder),
      ];
    } finally {
      process.kill(running.pid as number, 'SIGCONT');
    }
    running.stdin?.write('end\n');
  }, 120_000);

  afterAll(() => {
    running.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('knows what to look for: every kind of secret of every client', () => {
    const count = (label: string): number => patterns.filter((pattern) => pattern.label === label).length;
    expect(count('secret key')).toBeGreaterThanOrEqual(12);
    expect(count('self seed')).toBeGreaterThanOrEqual(6);
    expect(count('key share')).toBeGreaterThanOrEqual(30);
    for (const label of [
      'self mask key',
      'pair mask key',
      'shared key',
      'masked input',
      'unpacked input',
      'masked frame',
    ])
      expect(count(label), label).toBeGreaterThan(0);
  });

  it('finds what was left behind on purpose: in an array, in a text, on disk, in the log', () => {
    const planted = found.filter(({ label }) => label.startsWith('planted')).map(({ label }) => label);
    expect([...new Set(planted)].sort()).toEqual([
      'planted in a text (hex)',
      'planted in an array',
      'planted in the log (base64)',
      'planted on the disk',
    ]);
  });

  it('finds nothing of the round', () => {
    const left = found.filter(({ label }) => !label.startsWith('planted'));
    expect(tally(left)).toEqual([]);
  });
});

/** The secrets that the child told, its bits turned back; each once. */
function told(): Pattern[] {
  const bytes = readFileSync(secrets);
  const known = new Map<string, Pattern>();
  for (let at = 0; at + 64 <= bytes.length; at += 64) {
    const label = bytes
      .subarray(at, at + 32)
      .toString('latin1')
      .replaceAll('\0', '');
    const secret = Uint8Array.from(bytes.subarray(at + 32, at + 64), (byte) => byte ^ 0xff);
    // A window of zeros would be found everywhere.
    if (new Set(secret).size >= 12)
      known.set(`${label} ${Buffer.from(secret).toString('hex')}`, { label, bytes: secret });
  }
  return [...known.values()];
}

/** How often each kind stood where. */
function tally(list: readonly Found[]): string[] {
  const counts = new Map<string, number>();
  for (const { label, where } of list) {
    const key = `${label} in ${where}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `${count} × ${key}`).sort();
}
