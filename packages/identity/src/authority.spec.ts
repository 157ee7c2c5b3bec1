import { DecodeError, UsageError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { idOf, keyOf, reasonOf, suite as crypto } from '../test/suite.ts';
import { createAuthority, type Authority, type AuthorityOptions, type LogStore } from './authority.ts';
import { checkInLog, checkTreeHead } from './log.ts';
import { checkToken } from './token.ts';

const NOW_MS = 1_700_000_000_000;
const DAY = 86_400;

interface Kept extends LogStore {
  readonly ids: string[];
  writes: number;
}

function memoryLog(ids: string[] = []): Kept {
  const log: Kept = {
    ids,
    writes: 0,
    read: () => ids.slice(),
    append: async (more) => {
      await Promise.resolve();
      log.writes++;
      ids.push(...more);
    },
  };
  return log;
}

const opened = (over: Partial<AuthorityOptions> = {}): Promise<Authority> =>
  createAuthority({ key: keyOf(7), crypto, now: () => NOW_MS, ...over });

describe('an authority', () => {
  it('enrols a client for 30 days, or as long as it is asked to', async () => {
    const authority = await opened();
    const { token, expiresAt, ...rest } = await authority.enrol(idOf(1));
    expect(rest).toEqual({ clientId: idOf(1) });
    expect(expiresAt).toBe(NOW_MS / 1_000 + 30 * DAY);
    const check = { clientId: idOf(1), authority: authority.publicKey, crypto };
    expect(checkToken(token, { ...check, now: expiresAt - 1 })).toMatchObject({ expiresAt });
    expect(reasonOf(() => checkToken(token, { ...check, now: expiresAt }))).toBe('token-expired');
    const short = await authority.enrol(idOf(1), { days: 2 });
    expect(short.expiresAt).toBe(NOW_MS / 1_000 + 2 * DAY);
    expect((await (await opened({ days: 1 })).enrol(idOf(1))).expiresAt).toBe(NOW_MS / 1_000 + DAY);
    expect(authority.head()).toBeUndefined();
  });

  it('logs each client once, in order, and a renewal keeps its position', async () => {
    const log = memoryLog();
    const authority = await opened({ log });
    const first = await authority.enrolAll([idOf(3), idOf(1), idOf(3)]);
    expect(first.map(({ logIndex }) => logIndex)).toEqual([0, 1, 0]);
    expect((await authority.enrol(idOf(1))).logIndex).toBe(1);
    expect((await authority.enrol(idOf(2))).logIndex).toBe(2);
    expect(log.ids).toEqual([idOf(3), idOf(1), idOf(2)]);
    expect(log.writes).toBe(2);
    expect(authority.entries(1, 5)).toEqual([idOf(1), idOf(2)]);
    const head = authority.head()!;
    checkTreeHead(head, authority.publicKey, crypto);
    checkInLog({ clientId: idOf(2), index: 2 }, head, authority.inclusion(2, 3), crypto);
  });

  it('enrols many at the same time without a position twice', async () => {
    const log = memoryLog();
    const authority = await opened({ log });
    const wanted = Array.from({ length: 60 }, (_, at) => idOf(at % 40));
    const enrolments = await Promise.all(wanted.map((id) => authority.enrol(id)));
    expect(log.ids).toHaveLength(40);
    for (const { clientId, logIndex } of enrolments) expect(log.ids[logIndex!]).toBe(clientId);
  });

  it('goes on where it was after a restart', async () => {
    const log = memoryLog();
    const before = await opened({ log });
    await before.enrolAll([idOf(1), idOf(2)]);
    const again = await opened({ log });
    expect(again.head()).toEqual(before.head());
    expect((await again.enrol(idOf(2))).logIndex).toBe(1);
  });

  it('enrols nobody whom its log does not hold: what cannot be written is not signed', async () => {
    const log = { ...memoryLog(), append: () => Promise.reject(new Error('the disk is full')) };
    const authority = await opened({ log });
    await expect(authority.enrol(idOf(1))).rejects.toThrow('the disk is full');
    expect(authority.head()!.size).toBe(0);
  });

  it('is of no use once it is closed, and its key is gone', async () => {
    const key = keyOf(7);
    const authority = await opened({ key, log: memoryLog() });
    const last = authority.enrol(idOf(1));
    await authority.close();
    expect((await last).logIndex).toBe(0);
    expect(key.secretKey.every((byte) => byte === 0)).toBe(true);
    await expect(authority.enrol(idOf(1))).rejects.toThrow('is closed');
    expect(() => authority.head()).toThrow('is closed');
  });

  it.each<[string, () => Promise<unknown>, new (...args: never[]) => Error]>([
    ['a client id that is none', async () => (await opened()).enrol('me'), DecodeError],
    ['a client id in capitals', async () => (await opened()).enrol('AB'.repeat(16)), DecodeError],
    [
      'one wrong id among many',
      async () => (await opened({ log: memoryLog() })).enrolAll([idOf(1), '']),
      DecodeError,
    ],
    ['no days', async () => (await opened()).enrol(idOf(1), { days: 0 }), UsageError],
    ['days without end', async () => (await opened()).enrol(idOf(1), { days: 3_661 }), UsageError],
    [
      'too many at once',
      async () => (await opened()).enrolAll(Array.from({ length: 10_001 }, () => idOf(1))),
      UsageError,
    ],
    [
      'the wrong half of a key',
      () => opened({ key: { ...keyOf(7), publicKey: keyOf(8).publicKey } }),
      UsageError,
    ],
    [
      'a log that names a client twice',
      () => opened({ log: memoryLog([idOf(1), idOf(2), idOf(1)]) }),
      UsageError,
    ],
    ['a log that holds something else', () => opened({ log: memoryLog(['x']) }), DecodeError],
  ])('refuses %s', async (_, work, kind) => {
    await expect(work()).rejects.toThrow(kind);
  });
});
