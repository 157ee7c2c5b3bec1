import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromHex } from '@tutti/base';
import { checkToken } from '@tutti/identity';
import { nodeCrypto as crypto } from '@tutti/secure-aggregation/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const bin = fileURLToPath(import.meta.resolve('@tutti/cli/package.json')).replace(
  /package\.json$/,
  'bin/tutti.js',
);
const folder = mkdtempSync(join(tmpdir(), 'tutti-authority-'));
const idOf = (number: number): string => number.toString(16).padStart(32, '0');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], input = ''): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [bin, 'authority', ...args], { cwd: folder });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => void (output[name] += chunk.toString()));
  child.stdin.end(input);
  return { child, ended: new Promise((done) => child.on('close', (code) => done({ code, ...output }))) };
}

const authority = (args: readonly string[], input?: string): Promise<Ended> => start(args, input).ended;

let publicKey = '';
beforeAll(async () => {
  const { stdout } = await authority(['init', '--json']);
  ({ publicKey } = JSON.parse(stdout) as { publicKey: string });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('tutti authority', () => {
  it('init makes a key once, and never tells it', async () => {
    expect(publicKey).toMatch(/^[0-9a-f]{64}$/);
    const again = await authority(['init']);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('it is not overwritten')]);
    const shown = await authority(['public-key']);
    expect(shown.stdout.trim()).toBe(publicKey);
    const secret = readFileSync(join(folder, '.tutti-authority/key'), 'utf8').trim();
    expect(again.stdout + again.stderr + shown.stdout + shown.stderr).not.toContain(secret);
  });

  it('issues tokens that check, from options, a file and stdin', async () => {
    const file = join(folder, 'clients.txt');
    writeFileSync(file, `${idOf(2)}\n\n${idOf(3)}\r\n`);
    const args = ['issue', '--client-id', idOf(1), '--from', file, '--days', '7', '--json'];
    const { code, stdout } = await authority(args);
    expect(code).toBe(0);
    const { tokens } = JSON.parse(stdout) as {
      tokens: { clientId: string; token: string; expiresAt: number; logIndex: number }[];
    };
    expect(tokens.map(({ clientId, logIndex }) => [clientId, logIndex])).toEqual([
      [idOf(1), 0],
      [idOf(2), 1],
      [idOf(3), 2],
    ]);
    const now = Date.now() / 1_000;
    for (const { clientId, token, expiresAt } of tokens) {
      checkToken(fromHex(token), { clientId, authority: fromHex(publicKey), now, crypto });
      expect(expiresAt - now).toBeGreaterThan(7 * 86_400 - 300);
    }
    const lines = await authority(['issue', '--from', '-'], `${idOf(4)}\n`);
    expect(lines.stdout).toMatch(new RegExp(`^${idOf(4)} [0-9a-f]{192}\n$`));
  });

  it.each<[string, string[], string, RegExp]>([
    ['a client id that is none', ['issue', '--client-id', 'me'], '', /32 lower-case hexadecimal digits/],
    ['nobody to enrol', ['issue'], '', /--client-id ID, or --from FILE/],
    [
      'a line that is no client id',
      ['issue', '--from', '-'],
      `${idOf(1)}\nme\n`,
      /line 2: 32 lower-case hexadecimal/,
    ],
    ['a file that is not there', ['issue', '--from', 'nobody.txt'], '', /nobody\.txt cannot be read/],
    ['too many days', ['issue', '--client-id', idOf(1), '--days', '99999'], '', /from 1 to 3660/],
    [
      'a folder without an authority',
      ['public-key', '--data-dir', 'nowhere'],
      '',
      /make one with: tutti authority init/,
    ],
    [
      'a public key that is none',
      ['verify', '--url', 'http://localhost:1', '--public-key', 'ab'],
      '',
      /64 lower-case/,
    ],
  ])('refuses %s, exit code 2, no stack', async (_, args, input, message) => {
    const { code, stderr } = await authority(args, input);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(code).toBe(2);
  });

  it('serves tokens and a log that can be verified; a fork is caught', { timeout: 60_000 }, async () => {
    const { child, ended } = start(['serve', '--port', '0', '--json']);
    const url = await new Promise<string>((found, fail) => {
      let text = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const line = /\{.*\}\n/.exec(text)?.[0];
        if (line !== undefined) found((JSON.parse(line) as { url: string }).url);
      });
      child.on('close', () => fail(new Error('the service ended')));
    });
    const secret = readFileSync(join(folder, '.tutti-authority/secret'), 'utf8').trim();
    const response = await fetch(`${url}/v1/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify({ clientId: idOf(5) }),
    });
    expect(await response.json()).toMatchObject({ clientId: idOf(5), logIndex: 4 });
    const busy = await authority(['issue', '--client-id', idOf(6)]);
    expect([busy.code, busy.stderr]).toEqual([1, expect.stringMatching(/is in use by process \d+/)]);

    const verify = ['verify', '--url', url, '--public-key', publicKey, '--state', 'head.json', '--json'];
    const first = await authority(verify);
    expect(first.stderr).toBe('');
    expect(JSON.parse(first.stdout)).toMatchObject({ size: 5, before: null, added: 5 });
    expect(JSON.parse((await authority(verify)).stdout)).toMatchObject({ size: 5, before: 5, added: 0 });
    const stranger = await authority(['verify', '--url', url, '--public-key', 'a'.repeat(64)]);
    expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining('log-head-forged')]);

    // The same authority with another log, as if it had shown us one and others another.
    const seen = JSON.parse(readFileSync(join(folder, 'head.json'), 'utf8')) as {
      size: number;
      root: string;
    };
    writeFileSync(join(folder, 'head.json'), JSON.stringify({ ...seen, root: 'b'.repeat(64) }));
    const forked = await authority(verify);
    expect([forked.code, forked.stderr]).toEqual([1, expect.stringContaining('log-forked')]);
    writeFileSync(join(folder, 'head.json'), JSON.stringify({ ...seen, size: 6 }));
    expect((await authority(verify)).stderr).toContain('log-went-back');

    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
    expect(existsSync(join(folder, '.tutti-authority/pid'))).toBe(false);
    const gone = await authority(['verify', '--url', url, '--public-key', publicKey]);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('Start one with: tutti authority')]);
  });
});
