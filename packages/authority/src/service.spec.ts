import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError, fromHex, UsageError } from '@tutti/base';
import { checkGrowth, checkToken, decodeProof, followLog, jsonLogSource, LogMirror } from '@tutti/identity';
import { nodeCrypto as crypto } from '@tutti/secure-aggregation/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authoritySecret, initAuthority, openAuthority } from './folder.ts';
import { authorityService, type AuthorityService } from './service.ts';

const idOf = (number: number): string => number.toString(16).padStart(32, '0');
const folder = mkdtempSync(join(tmpdir(), 'tutti-authority-'));
const publicKey = initAuthority(folder);
const secret = authoritySecret(folder);

let service: AuthorityService;
let url = '';
beforeAll(async () => {
  const authority = await openAuthority(folder);
  await authority.enrolAll(Array.from({ length: 40 }, (_, at) => idOf(at)));
  service = authorityService({ authority, secret });
  url = await service.listen({ port: 0 });
});
afterAll(async () => {
  await service.close();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> & { readonly error?: { readonly message: string } };
}

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${url}${path}`, init);
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

const token = (body: unknown, authorization = `Bearer ${secret}`): Promise<Answer> =>
  ask('/v1/tokens', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { authorization, 'content-type': 'application/json' },
  });

describe('tokens', () => {
  it('are issued to who knows the secret', async () => {
    const { status, body } = await token({ clientId: idOf(99), days: 3 });
    expect(status).toBe(200);
    expect(body).toEqual({
      clientId: idOf(99),
      token: expect.stringMatching(/^[0-9a-f]{192}$/) as string,
      expiresAt: expect.any(Number) as number,
      logIndex: 40,
    });
    const now = Date.now() / 1_000;
    const check = { clientId: idOf(99), authority: fromHex(publicKey), now, crypto };
    expect(checkToken(fromHex(body['token'] as string), check)).toMatchObject({ logIndex: 40 });
    expect((await token({ clientId: idOf(99) })).body['logIndex']).toBe(40);
  });

  it.each([
    ['nothing', ''],
    ['another secret', `Bearer ${'0'.repeat(64)}`],
    ['another scheme', `Basic ${secret}`],
    ['the secret alone', secret],
  ])('are refused to who shows %s', async (_, authorization) => {
    const { status, body } = await token({ clientId: idOf(98) }, authorization);
    expect([status, body.error?.message]).toEqual([401, 'the secret is needed']);
    expect((await ask('/v1/log/entries?from=0&count=100')).body['entries']).not.toContain(idOf(98));
  });

  it.each<[string, unknown, number, string]>([
    ['no client id', {}, 400, 'clientId: is not text'],
    ['a client id that is none', { clientId: 'me' }, 400, 'clientId: is not lower-case hexadecimal'],
    ['a short one', { clientId: 'ab' }, 400, 'clientId: has 1 bytes; 16 are expected'],
    ['days as text', { clientId: idOf(1), days: '3' }, 400, 'days: is not a number'],
    [
      'too many days',
      { clientId: idOf(1), days: 1e6 },
      400,
      'days is 1000000; a whole number from 1 to 3660',
    ],
    ['a field that is not known', { clientId: idOf(1), admin: true }, 400, 'admin: is not known'],
    ['a list', [], 400, 'clientId: is not text'],
    ['no JSON', '{', 400, 'Body is not valid JSON'],
    ['a long body', { clientId: 'a'.repeat(5_000) }, 413, 'too large'],
  ])('are refused for %s', async (_, body, status, message) => {
    const answer = await token(body);
    expect(answer.status).toBe(status);
    expect(answer.body.error?.message).toContain(message);
  });
});

describe('the log', () => {
  const getJson = async (at: string): Promise<unknown> => (await fetch(at)).json();

  it('can be followed and proved by everybody', async () => {
    const mirror = new LogMirror(fromHex(publicKey), crypto);
    const before = await followLog(mirror, jsonLogSource(url, getJson));
    await token({ clientId: idOf(200) });
    const after = await followLog(mirror, jsonLogSource(url, getJson));
    expect(after.size).toBe(before.size + 1);
    const { body } = await ask(`/v1/log/consistency?from=${before.size}&to=${after.size}`);
    checkGrowth(before, after, decodeProof(fromHex(body['proof'] as string)), crypto);
    const path = await ask(`/v1/log/inclusion?index=7&size=${before.size}`);
    expect(decodeProof(fromHex(path.body['proof'] as string))).toEqual(mirror.inclusion(7, before.size));
  });

  it.each<[string, number, string]>([
    ['/v1/log/entries?from=0', 400, 'count: a whole number is expected'],
    ['/v1/log/entries?from=-1&count=1', 400, 'from: a whole number is expected'],
    ['/v1/log/entries?from=1e9&count=1', 400, 'from: a whole number is expected'],
    ['/v1/log/entries?from=1&from=2&count=1', 400, 'from: a whole number is expected'],
    ['/v1/log/inclusion?index=3&size=9999', 400, 'size is 9999; a whole number from 1 to'],
    ['/v1/log/inclusion?index=9&size=9', 400, 'index is 9; a whole number from 0 to 8'],
    ['/v1/log/consistency?from=9&to=3', 400, 'from is 9; a whole number from 0 to 3'],
    ['/v1/secret', 404, 'there is nothing at /v1/secret'],
  ])('%s is refused', async (path, status, message) => {
    const answer = await ask(path);
    expect([answer.status, answer.body.error?.message]).toEqual([status, expect.stringContaining(message)]);
  });

  it('beyond its end there is nothing', async () => {
    expect((await ask('/v1/log/entries?from=9000&count=5')).body).toEqual({ entries: [] });
    expect((await ask('/v1/authority')).body).toEqual({ publicKey });
    expect((await ask('/healthz')).body).toEqual({ status: 'ok' });
  });
});

describe('the service', () => {
  it('says which port is taken, and refuses a secret that could be guessed', async () => {
    const other = mkdtempSync(join(tmpdir(), 'tutti-authority-'));
    initAuthority(other);
    const authority = await openAuthority(other);
    expect(() => authorityService({ authority, secret: 'hunter2' })).toThrow(UsageError);
    const second = authorityService({ authority, secret });
    const port = Number(new URL(url).port);
    await expect(second.listen({ port })).rejects.toThrow(EnvironmentError);
    await expect(second.listen({ port })).rejects.toThrow(`Port ${port} is taken`);
    await second.close();
    rmSync(other, { recursive: true });
  });
});
