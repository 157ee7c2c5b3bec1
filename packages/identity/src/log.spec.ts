import { DecodeError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { idOf, keyOf, reasonOf, suite as crypto } from '../test/suite.ts';
import { createAuthority, type Authority } from './authority.ts';
import { checkGrowth, checkInLog, checkTreeHead, decodeTreeHead, type TreeHead } from './log.ts';
import { followLog, jsonLogSource } from './log-source.ts';
import { LogMirror } from './mirror.ts';

const key = keyOf(7);

/** An authority that enrolled these clients, in this order. */
async function enrolled(ids: readonly string[], by = key): Promise<Authority> {
  const kept: string[] = [];
  const log = { read: () => kept, append: async (more: readonly string[]) => void kept.push(...more) };
  const authority = await createAuthority({ key: { ...by }, crypto, log, now: () => 0 });
  await authority.enrolAll(ids);
  return authority;
}

const ids = Array.from({ length: 50 }, (_, at) => idOf(at + 1));
const authority = await enrolled(ids);
const head = authority.head()!;
const earlier = (await enrolled(ids.slice(0, 20))).head()!;

describe('a tree head', () => {
  it('is checked against the key of the authority', () => {
    const check = (over: Partial<TreeHead>, by = key.publicKey): string =>
      reasonOf(() => checkTreeHead({ ...head, ...over }, by, crypto));
    expect(check({})).toBe('accepted');
    expect(check({ size: 49 })).toBe('log-head-forged');
    expect(check({ size: head.size + 2 ** 32 })).toBe('log-head-forged');
    expect(check({ root: earlier.root })).toBe('log-head-forged');
    expect(check({ signature: earlier.signature })).toBe('log-head-forged');
    expect(check({}, keyOf(8).publicKey)).toBe('log-head-forged');
  });

  it('is decoded from outside, field by field', () => {
    expect(decodeTreeHead(JSON.parse(JSON.stringify(head)))).toEqual(head);
    for (const [value, message] of [
      [null, 'head: is not an object'],
      [{ ...head, size: -1 }, 'head.size: is not a whole number'],
      [{ ...head, size: 2 ** 32 }, 'head.size'],
      [{ ...head, root: 1 }, 'head.root: is not text'],
      [{ ...head, root: 'ab' }, 'head.root: has 1 bytes; 32 are expected'],
      [{ ...head, signature: head.root }, 'head.signature: has 32 bytes'],
    ] as const) {
      expect(() => decodeTreeHead(value)).toThrow(DecodeError);
      expect(() => decodeTreeHead(value)).toThrow(message);
    }
  });
});

describe('standing in the log', () => {
  const stands = (clientId: string, index: number | undefined, proof: readonly Uint8Array[]): string =>
    reasonOf(() => checkInLog({ clientId, index }, head, proof, crypto));

  it('is shown by a path for each position', () => {
    ids.forEach((id, at) => expect(stands(id, at, authority.inclusion(at, head.size))).toBe('accepted'));
  });

  it.each<[string, string]>([
    ['another client at that position', stands(ids[4]!, 3, authority.inclusion(3, 50))],
    ['another position', stands(ids[3]!, 4, authority.inclusion(3, 50))],
    ['a position beyond the head', stands(ids[3]!, 50, authority.inclusion(3, 50))],
    ['no position', stands(ids[3]!, undefined, authority.inclusion(3, 50))],
    ['a path in a smaller log', stands(ids[3]!, 3, authority.inclusion(3, 20))],
    ['no path', stands(ids[3]!, 3, [])],
  ])('not-in-log: %s', (_, found) => {
    expect(found).toBe('not-in-log');
  });
});

describe('a log that grows', () => {
  const grows = (before: TreeHead, after: TreeHead, proof: readonly Uint8Array[]): string =>
    reasonOf(() => checkGrowth(before, after, proof, crypto));

  it('is believed, and one that stands still', () => {
    expect(grows(earlier, head, authority.consistency(20, 50))).toBe('accepted');
    expect(grows(head, head, [])).toBe('accepted');
  });

  it('that forgot entries is not', () => {
    expect(grows(head, earlier, authority.consistency(20, 50))).toBe('log-went-back');
  });

  it('a fork is caught, though the authority signed both heads', async () => {
    const other = [...ids];
    other[11] = idOf(0xbad);
    const fork = await enrolled(other);
    for (const proof of [fork.consistency(20, 50), authority.consistency(20, 50), []])
      expect(grows(earlier, fork.head()!, proof)).toBe('log-forked');
    expect(grows(head, fork.head()!, [])).toBe('log-forked');
    expect(() => checkTreeHead(fork.head()!, key.publicKey, crypto)).not.toThrow();
  });
});

describe('a mirror', () => {
  it('proves what the authority proves', () => {
    const mirror = new LogMirror(key.publicKey, crypto);
    expect(mirror.head).toBeUndefined();
    mirror.extend(authority.entries(0, 20), earlier);
    mirror.extend(authority.entries(20, 1_000), head);
    expect(mirror.head).toEqual(head);
    expect(mirror.inclusion(17, 50)).toEqual(authority.inclusion(17, 50));
    expect(mirror.inclusion(17, 20)).toEqual(authority.inclusion(17, 20));
    expect(mirror.consistency(20, 50)).toEqual(authority.consistency(20, 50));
  });

  it.each<[string, (mirror: LogMirror) => void]>([
    ['log-head-forged', (mirror) => mirror.extend(ids.slice(20), { ...head, root: earlier.root })],
    ['log-forked', (mirror) => mirror.extend([...ids.slice(20, 49), idOf(0xbad)], head)],
    ['log-forked', (mirror) => mirror.extend(ids.slice(20, 49), head)],
    ['log-forked', (mirror) => mirror.extend(ids.slice(19), head)],
  ])('refuses entries: %s (%#), and stays as it was', (reason, extend) => {
    const mirror = new LogMirror(key.publicKey, crypto);
    mirror.extend(ids.slice(0, 20), earlier);
    expect(reasonOf(() => extend(mirror))).toBe(reason);
    expect([mirror.size, mirror.head]).toEqual([20, earlier]);
    mirror.extend(ids.slice(20), head);
    expect(mirror.size).toBe(50);
    expect(reasonOf(() => mirror.extend([], earlier))).toBe('log-went-back');
  });
});

describe('following a log over HTTP', () => {
  /** What a service answers, and what it was asked. */
  function served(over: Record<string, unknown> = {}): {
    asked: string[];
    get: (url: string) => Promise<unknown>;
  } {
    const asked: string[] = [];
    return {
      asked,
      async get(url) {
        asked.push(url);
        const { pathname, searchParams } = new URL(url);
        if (pathname in over) return over[pathname];
        if (pathname === '/v1/log/head') return structuredClone(head);
        // Pages of 7, whatever was asked for.
        return { entries: authority.entries(Number(searchParams.get('from')), 7) };
      },
    };
  }

  it('takes the pages that are missing, and then only what is new', async () => {
    const mirror = new LogMirror(key.publicKey, crypto);
    mirror.extend(ids.slice(0, 20), earlier);
    const { asked, get } = served();
    expect(await followLog(mirror, jsonLogSource('http://authority.example/', get))).toEqual(head);
    expect(asked.slice(0, 2)).toEqual([
      'http://authority.example/v1/log/head',
      'http://authority.example/v1/log/entries?from=20&count=30',
    ]);
    expect(asked).toHaveLength(1 + Math.ceil(30 / 7));
    asked.length = 0;
    await followLog(mirror, jsonLogSource('http://authority.example', get));
    expect(asked).toEqual(['http://authority.example/v1/log/head']);
  });

  it.each<[string, Record<string, unknown>]>([
    ['log-unproven', { '/v1/log/entries': { entries: [] } }],
    ['log-forked', { '/v1/log/entries': { entries: ids.slice(1) } }],
    ['log-head-forged', { '/v1/log/head': { ...head, size: 7 } }],
    ['DecodeError: head: is not an object', { '/v1/log/head': 'head' }],
    ['DecodeError: entries: is not a list', { '/v1/log/entries': {} }],
    ['DecodeError: entries: holds something that is not text', { '/v1/log/entries': { entries: [1] } }],
    ['DecodeError: clientId: has 1 bytes; 16 are expected', { '/v1/log/entries': { entries: ['ab'] } }],
  ])('believes nothing else: %s', async (reason, over) => {
    const mirror = new LogMirror(key.publicKey, crypto);
    const error: unknown = await followLog(mirror, jsonLogSource('http://a', served(over).get)).catch(
      (caught: unknown) => caught,
    );
    expect((error as { reason?: string }).reason ?? String(error)).toBe(reason);
    expect(mirror.size).toBe(0);
  });
});
