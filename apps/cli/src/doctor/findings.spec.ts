import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROTOCOL_VERSION } from '@tutti/protocol';
import { describe, expect, it } from 'vitest';
import { createToken } from '@tutti/server';
import { judgeMachine, judgeSeen, judgeTokens, type Machine, type Seen } from './findings.ts';
import { lookAtMachine, lookAtTokens } from './machine.ts';

const NOW = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;

const WELL: Seen = {
  url: 'https://fl.example.org',
  certificate: { validToMs: NOW + 60 * DAY },
  health: { status: 200, isCoordinator: true },
  ready: { status: 200, state: 'ready', problem: '' },
  clock: { aheadMs: 300, withinMs: 600 },
  upgrade: 101,
  greeting: { protocols: [PROTOCOL_VERSION] },
  tasks: [{ name: 'films', identity: 'enrolled', phase: 'select' }],
};

describe('the doctor', () => {
  it('finds nothing where all is well', () => {
    expect(judgeSeen(WELL, NOW).map(({ state, next }) => [state, next])).toEqual(
      Array(8).fill(['ok', undefined]),
    );
  });

  it.each<[string, Partial<Seen>, string, string, RegExp]>([
    [
      'plain HTTP elsewhere',
      { url: 'http://fl.example.org' },
      'tls',
      'warning',
      /listen\.tls, or put a proxy/,
    ],
    [
      'a certificate that ends soon',
      { certificate: { validToMs: NOW + 5.5 * DAY } },
      'tls',
      'warning',
      /SIGHUP/,
    ],
    [
      'a certificate of another name',
      { certificate: { validToMs: NOW + DAY, problem: 'ERR_TLS_CERT_ALTNAME_INVALID' } },
      'tls',
      'failed',
      /for this name/,
    ],
    [
      'something else at the address',
      { health: { status: 200, isCoordinator: false } },
      'coordinator',
      'failed',
      /Something else/,
    ],
    [
      'one that is about to stop',
      { ready: { status: 503, state: 'draining', problem: 'x' } },
      'ready',
      'failed',
      /Wait/,
    ],
    [
      'one that cannot write',
      { ready: { status: 503, state: 'failed', problem: 'x' } },
      'ready',
      'failed',
      /Mend what it names: it/,
    ],
    [
      'a clock that is a little off',
      { clock: { aheadMs: -7_000, withinMs: 600 } },
      'clock',
      'warning',
      /time server/,
    ],
    [
      'a clock that is hours off',
      { clock: { aheadMs: 7_200_000, withinMs: 600 } },
      'clock',
      'failed',
      /time server/,
    ],
    ['a proxy without upgrades', { upgrade: 400 }, 'websocket', 'failed', /Upgrade and Connection/],
    ['a socket that says nothing', { greeting: { problem: 'no greeting' } }, 'protocol', 'failed', /log/],
    ['another protocol', { greeting: { protocols: [1] } }, 'protocol', 'failed', /versions that share one/],
    [
      'an open identity',
      { tasks: [{ name: 'films', identity: 'open', phase: 'select' }] },
      'task films',
      'warning',
      /identity\.md/,
    ],
    [
      'a spent budget',
      { tasks: [{ name: 'films', identity: 'enrolled', phase: 'budget-spent' }] },
      'task films',
      'warning',
      /epsilon/,
    ],
  ])('tells of %s, and what to do', (_, seen, check, state, next) => {
    const found = judgeSeen({ ...WELL, ...seen }, NOW).filter((one) => one.state !== 'ok');
    expect(found.map((one) => [one.check, one.state])).toEqual([[check, state]]);
    expect(found[0]?.next).toMatch(next);
  });

  it.each(['ENOTFOUND', 'ECONNREFUSED', 'ETIMEDOUT', 'ECONNRESET', 'ESOMETHING'])(
    'says what to do about %s, and checks nothing that cannot be',
    (unreachable) => {
      const [first, ...rest] = judgeSeen({ url: 'https://fl.example.org', unreachable }, NOW);
      expect(first).toMatchObject({
        check: 'reachable',
        state: 'failed',
        next: expect.stringMatching(/\w/) as string,
      });
      expect(rest.every(({ state }) => state === 'not-checked')).toBe(true);
    },
  );

  it.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'NODE_EXTRA_CA_CERTS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'another name'],
    ['CERT_HAS_EXPIRED', 'renew it'],
  ])('does not send anybody to the network for a certificate with %s', (unreachable, next) => {
    const [first] = judgeSeen({ url: 'https://fl.example.org', unreachable }, NOW);
    expect(first?.next).toContain(next);
    expect(first?.next).not.toContain('network');
  });

  const GiB = 2 ** 30;
  it.each<[string, Machine, string[], RegExp | undefined]>([
    [
      'room and a store',
      { kind: 'folder', place: 'f', freeBytes: 9 * GiB, journals: [{ task: 'films', entries: 3 }] },
      ['ok', 'ok'],
      undefined,
    ],
    ['a database elsewhere', { kind: 'database', place: 'f', journals: [] }, ['ok'], undefined],
    ['little room', { kind: 'folder', place: 'f', freeBytes: GiB / 2 }, ['warning', 'ok'], /Make room/],
    ['no room', { kind: 'folder', place: 'f', freeBytes: 1_000 }, ['failed', 'ok'], /Make room/],
    [
      'a folder of somebody else',
      { kind: 'folder', place: 'f', unwritable: 'EACCES' },
      ['failed', 'not-checked'],
      /user that runs/,
    ],
    [
      'a database that does not answer',
      { kind: 'database', place: 'f', storeProblem: 'ECONNREFUSED' },
      ['failed'],
      /restore a backup; see that the database runs/,
    ],
    [
      'a store of another version',
      { kind: 'folder', place: 'f', freeBytes: 9 * GiB, storeProblem: 'journal.v' },
      ['ok', 'failed'],
      /newer version.*restore a backup\.$/,
    ],
  ])('judges a machine with %s', (_, machine, states, next) => {
    const found = judgeMachine(machine);
    expect(found.map(({ state }) => state)).toEqual(states);
    if (next !== undefined) expect(found.map((one) => one.next ?? '').join()).toMatch(next);
  });

  it('names a database that is away once, and gives it up when it was told to', async () => {
    const { storeProblem = '' } = await lookAtMachine('postgres://tutti@127.0.0.1:9/none', 1);
    expect(storeProblem).toMatch(/^PostgreSQL at 127\.0\.0\.1:9, .* did not answer for 0 s/);
    expect(storeProblem.split('PostgreSQL at')).toHaveLength(2);
  });

  it('opens the file of tokens: whether it can be used, and whether it lets anybody operate', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tutti-doctor-'));
    const file = join(folder, 'tokens.json');
    const found = (): unknown[] => {
      const { check, state, next = '' } = judgeTokens(lookAtTokens(file));
      return [check, state, next];
    };
    const nobody = expect.stringContaining('tutti token create --role operate') as string;
    expect(judgeTokens(lookAtTokens(undefined)).state).toBe('ok');
    expect(found()).toEqual(['tokens', 'warning', nobody]);
    createToken(file, { name: 'board', role: 'read' });
    expect(found()).toEqual(['tokens', 'warning', nobody]);
    createToken(file, { name: 'ada', role: 'operate' });
    expect(found()).toEqual(['tokens', 'ok', '']);
    chmodSync(file, 0o622);
    expect(found()).toEqual(['tokens', 'failed', expect.stringContaining('nobody else write')]);
    writeFileSync(file, 'no JSON', { mode: 0o600 });
    chmodSync(file, 0o600);
    expect(judgeTokens(lookAtTokens(file)).found).toBe(`${file} cannot be read: it is no JSON`);
    rmSync(folder, { recursive: true });
  });
});
