import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { initAuthority, openAuthority } from '@tutti/authority';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, wireConfig, type WireFederation } from '../wire/federation.ts';

/** `tutti client`, as a person runs it, in a federation of enrolled devices on real sockets. */

const bin = fileURLToPath(import.meta.resolve('@tutti/cli/package.json')).replace(
  /package\.json$/,
  'bin/tutti.js',
);
const folder = mkdtempSync(join(tmpdir(), 'tutti-client-'));
const authority = initAuthority(join(folder, 'authority'));
const OTHERS = 16;
let federation: WireFederation;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function client(...args: string[]): Promise<Ended> {
  const all = ['client', '--coordinator', federation.url, '--task', 'films', '--store', 'device', ...args];
  const child = spawn(process.execPath, [bin, ...all], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => void (output[name] += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...output })));
}

function ratings(name: string, items: readonly string[]): string {
  const lines = items.map((item, order) => `1,${item},5,${1_000 + order}`);
  writeFileSync(join(folder, name), ['user,item,rating,timestamp', ...lines, ''].join('\n'));
  return name;
}

beforeAll(async () => {
  const round = { cohort: OTHERS + 1, smallestCohort: 16, overselection: 1, selectionMs: 20_000 };
  federation = await openWireFederation(
    wireConfig({ identity: { level: 'enrolled', authority }, insecureSmallCohort: false, rounds: 1, round }),
  );
});
afterAll(async () => {
  await federation.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('tutti client', () => {
  let id = '';

  it('says which items it cannot learn from', async () => {
    const known = FILMS.slice(0, 8);
    const some = await client(
      ...['--ratings', ratings('some.csv', [...known, 'Heat']), '--rounds', '0', '--json'],
    );
    expect(some.code).toBe(0);
    expect(some.stderr).toContain('of 9 interactions 8 can be learned from');
    expect(some.stderr).toContain('such as Heat');
    ({ client: id } = JSON.parse(some.stdout) as { client: string });
    const none = await client(
      '--store',
      'other',
      '--ratings',
      ratings('none.csv', ['Heat', 'Alien', 'Up']),
      '--rounds',
      '0',
    );
    expect(none.stderr).toContain('of 3 interactions none can be learned from');
  });

  it('takes part with its token, ends after its rounds, and ranks', async () => {
    const opened = await openAuthority(join(folder, 'authority'));
    const tokenOf = async (clientId: string): Promise<Uint8Array> => (await opened.enrol(clientId)).token;
    writeFileSync(join(folder, 'token'), Buffer.from(await tokenOf(id)).toString('hex'));
    const others = [];
    for (let person = 0; person < OTHERS; person++)
      others.push(
        await federation.client(`person-${person}`, FILMS.slice(person, person + 8), {
          policy: { identity: 'enrolled', authorities: [authority] },
          token: async ({ clientId }) => tokenOf(clientId),
        }),
      );
    const flags = ['--token', 'token', '--authority', authority, '--rounds', '1', '--recommend', '5'];
    const running = client(...flags, '--json');
    await federation.run(others, (events) => events.some(({ type }) => type === 'committed'));
    const { code, stdout, stderr } = await running;
    expect([code, stderr]).toEqual([0, expect.stringContaining(`a sum over ${OTHERS + 1} clients`)]);
    const { rounds, recommendations } = JSON.parse(stdout) as {
      rounds: number;
      recommendations: { item: string }[];
    };
    expect([rounds, recommendations.length]).toEqual([1, 5]);
    for (const { item } of recommendations) expect(FILMS.slice(0, 8)).not.toContain(item);
  }, 60_000);

  it('refuses a file that holds no token, and says how to get one', async () => {
    const { code, stderr } = await client('--token', ratings('no-token', []), '--authority', authority);
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining('tutti authority issue')]);
    expect(code).not.toBe(0);
  });
});
