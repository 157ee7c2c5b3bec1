import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, createToken, readTokenFile, revokeToken, type Coordinator } from '@tutti/server';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, wireConfig } from './federation.ts';

const folder = mkdtempSync(join(tmpdir(), 'tutti-admin-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ofStorage = () => ({ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) });
let files = 0;
const newFile = (): string => join(folder, `tokens-${files++}.json`);

/** Asks a coordinator's interface. */
const asker =
  (url: string, token?: string) =>
  async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Record<string, unknown>; text: string; headers: Headers }> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: JSON.parse(text) as Record<string, unknown>,
      text,
      headers: response.headers,
    };
  };

describe('a file of tokens', () => {
  it('holds hashes alone, is for its owner alone, and gives each token once', () => {
    const path = newFile();
    const token = createToken(path, { name: 'ada', role: 'operate' });
    expect(token).toMatch(/^tutti_[\w-]{43}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(readTokenFile(path))).not.toContain(token.slice(6));
    expect(() => createToken(path, { name: 'ada', role: 'read' })).toThrow('there is a token named ada');
    expect(() => createToken(path, { name: 'Ada!', role: 'read' })).toThrow('is no name of a token');
    revokeToken(path, 'ada');
    expect(readTokenFile(path)).toEqual([]);
    expect(() => revokeToken(path, 'ada')).toThrow('there is no token named ada');
  });

  it('is refused where others may write to it, or it is something else', () => {
    const path = newFile();
    writeFileSync(path, '{}', { mode: 0o600 });
    expect(() => readTokenFile(path)).toThrow(/^tokens: .*: Invalid input/);
    writeFileSync(`${path}x`, JSON.stringify({ v: 1, tokens: [] }), { mode: 0o600 });
    expect(readTokenFile(`${path}x`)).toEqual([]);
    writeFileSync(`${path}.new`, '');
    expect(() => createToken(path, { name: 'ada', role: 'read' })).toThrow(`remove ${path}.new`);
  });
});

describe('the interface for operators', () => {
  const path = newFile();
  const operate = createToken(path, { name: 'ada', role: 'operate' });
  const read = createToken(path, { name: 'board', role: 'read' });
  const config = { ...wireConfig(), tokens: path };
  let storage = ofStorage();
  let coordinator: Coordinator;
  let url = '';
  const open = async (): Promise<void> => {
    coordinator = await createCoordinator({ config, ...storage });
    url = await coordinator.listen();
  };
  beforeEach(async () => {
    const { store, blobs } = ofStorage();
    // A store takes its time, so that two who come at once are there at once.
    const put: typeof store.put = async (key, value) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await store.put(key, value);
    };
    storage = { blobs, store: { ...store, put } };
    await open();
  });
  afterEach(async () => coordinator.close());

  it('reads for everybody, and says not a word more to who shows no token that it knows', async () => {
    expect((await asker(url)('GET', '/tasks')).body).toMatchObject({
      tasks: [{ task: 'films', run: 'running' }],
    });
    expect((await asker(url, 'wrong')('GET', '/tasks/films')).status).toBe(200);
    const refused = await Promise.all(
      [undefined, '', 'tutti_', `tutti_${'A'.repeat(43)}`, `${operate}x`, 'x'.repeat(5_000)].flatMap(
        (token) =>
          [
            ['POST', '/tasks/films/stop'],
            ['POST', '/tasks/nowhere/stop'],
            ['POST', '/tasks', '{ not json'],
            ['GET', '/logs?level=nonsense'],
          ].map(([method = '', path = '', body]) => asker(url, token)(method, path, body)),
      ),
    );
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([401]));
    expect(new Set(refused.map(({ text }) => text))).toEqual(
      new Set(['{"error":{"code":"http/unauthorized","message":"unauthorized"}}']),
    );
    expect(coordinator.coordination.status('films')?.run).toBe('running');
  });

  it('lets a token do what its role may, and nothing once it is revoked', async () => {
    expect((await asker(url, read)('GET', '/token')).body).toEqual({ name: 'board', role: 'read' });
    const refused = await asker(url, read)('POST', '/tasks/films/pause');
    expect([refused.status, refused.body]).toEqual([
      403,
      {
        error: {
          code: 'http/forbidden',
          message: 'the token board has role read; operate is needed (tutti token create --role operate)',
        },
      },
    ]);
    const late = createToken(path, { name: 'late', role: 'operate' });
    expect((await asker(url, late)('POST', '/tasks/films/pause')).body).toMatchObject({ phase: 'paused' });
    revokeToken(path, 'late');
    expect((await asker(url, late)('POST', '/tasks/films/resume')).status).toBe(401);
  });

  it('refuses a token that asks too often, by name and with a time to come back, whatever its address', async () => {
    await coordinator.close();
    coordinator = await createCoordinator({
      config: { ...config, limits: { requestsPerMinute: 2 } },
      ...storage,
    });
    url = await coordinator.listen();
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await asker(url, read)('GET', '/token')).status);
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await asker(url, read)('GET', '/token');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
    expect(refused.body).toMatchObject({
      error: { code: 'http/too-many-requests', message: 'more than 2 requests in a minute with one token' },
    });
    expect((await asker(url, operate)('GET', '/token')).status).toBe(200);
  });

  it('pauses, resumes and stops, twice as once, over a restart, and stops for good', async () => {
    const ask = asker(url, operate);
    const length = async () => (await storage.store.readJournal('films')).length;
    const before = await length();
    for (let i = 0; i < 2; i++)
      expect((await ask('POST', '/tasks/films/pause')).body).toMatchObject({
        run: 'paused',
        phase: 'paused',
      });
    expect(await length()).toBe(before + 1);
    await coordinator.close();
    await open();
    expect((await asker(url)('GET', '/tasks/films')).body).toMatchObject({ run: 'paused', phase: 'paused' });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('tutti_paused{task="films"} 1');
    await expect(coordinator.coordination.evaluate('films')).rejects.toThrow('task films is paused');
    const again = asker(url, operate);
    expect((await again('POST', '/tasks/films/resume')).body).toMatchObject({
      run: 'running',
      phase: 'select',
    });
    expect((await again('POST', '/tasks/films/stop')).body).toMatchObject({
      run: 'stopped',
      phase: 'stopped',
    });
    expect((await again('POST', '/tasks/films/stop')).status).toBe(200);
    const refused = await again('POST', '/tasks/films/resume');
    expect([refused.status, refused.body]).toMatchObject([409, { error: { code: 'task/stopped' } }]);
    await coordinator.close();
    await open();
    expect((await asker(url)('GET', '/tasks/films')).body).toMatchObject({ phase: 'stopped' });
    await expect(coordinator.coordination.evaluate('films')).rejects.toThrow('task films is stopped');
    expect((await storage.store.readJournal('films')).at(-1)).toMatchObject({ run: 'stopped', by: 'ada' });
  });

  it('creates a task that is there after a restart, and names everything that is wrong with one that is not', async () => {
    const ask = asker(url, operate);
    const [small] = wireConfig().tasks;
    const wrong = await ask('POST', '/tasks', { name: 'Books!', catalogue: { ids: [] }, rouns: 3 });
    expect(wrong.status).toBe(400);
    const paths = (wrong.body as { error: { problems: { path: string }[] } }).error.problems.map(
      ({ path }) => path,
    );
    expect(paths).toEqual(expect.arrayContaining(['name', 'catalogue.ids']));
    const unfit = await ask('POST', '/tasks', { ...small, name: 'Books!', insecureSmallCohort: false });
    expect(unfit.status).toBe(400);
    for (const path of ['name', 'round.smallestCohort'])
      expect(JSON.stringify(unfit.body)).toContain(`"path":"${path}"`);
    expect((await ask('POST', '/tasks', { ...small })).body).toMatchObject({
      error: { code: 'task/exists' },
    });

    const both = await Promise.all([1, 2].map(() => ask('POST', '/tasks', { ...small, name: 'books' })));
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect((await ask('POST', '/tasks/books/pause')).status).toBe(200);
    await coordinator.close();
    await open();
    const { tasks } = (await asker(url)('GET', '/tasks')).body as { tasks: object[] };
    expect(tasks).toMatchObject([{ task: 'films' }, { task: 'books', run: 'paused' }]);
    expect((await fetch(`${url}/v1/tasks/books`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(
      'tutti_rounds_committed_total{task="books"} 0',
    );
  });

  it('tells the log to a token that may read it, the kept lines first, and nothing of anybody in it', async () => {
    await asker(url, operate)('POST', '/tasks/films/pause');
    const lines = async (query: string): Promise<{ id: number; event: string }[]> => {
      const response = await fetch(`${url}/api/v1/logs?follow=false${query}`, {
        headers: { authorization: `Bearer ${read}` },
      });
      const text = await response.text();
      return [...text.matchAll(/^data: (.*)$/gm)].map(
        ([, line = '']) => JSON.parse(line) as { id: number; event: string },
      );
    };
    const told = await lines('');
    expect(told.map(({ event }) => event)).toEqual(['listening', 'opened', 'run-changed']);
    expect(told.at(-1)).toMatchObject({ task: 'films', run: 'paused', by: 'ada', level: 'info' });
    expect(await lines(`&after=${told[1]?.id}`)).toEqual(told.slice(2));
    expect(await lines('&level=error')).toEqual([]);
  });
});

describe('a client that says too much', () => {
  it('is refused by name, and stays away for as long as it is asked to', { timeout: 30_000 }, async () => {
    const config = { ...wireConfig(), limits: { messagesPerMinute: 1 } };
    const federation = await openWireFederation(config, { engine: 'ts' });
    try {
      const refusals = async (): Promise<string | undefined> => {
        const text = await (await fetch(`${federation.url}/metrics`)).text();
        return /tutti_refused_total\{limit="messages"\} (\d+)/.exec(text)?.[1];
      };
      const waits = () => federation.coordinator.coordination.status('films')?.waiting === 1;
      const client = await federation.client('ada', FILMS.slice(0, 5));
      await federation.run([client], waits);
      expect(await refusals()).toBeUndefined();
      // Its address does not matter: the second greeting is on another socket.
      const stop = new AbortController();
      const away = client.participate({ signal: stop.signal });
      await expect.poll(refusals, { timeout: 5_000 }).toBe('1');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(await refusals()).toBe('1');
      stop.abort();
      await away;
    } finally {
      await federation.close();
    }
  });
});

describe('rounds under an operator', () => {
  it('end normally on a pause, by name on a stop, and are told in pages', { timeout: 40_000 }, async () => {
    const path = newFile();
    const token = createToken(path, { name: 'ada', role: 'operate' });
    const federation = await openWireFederation(
      { ...wireConfig({ rounds: 9 }), tokens: path },
      { engine: 'ts' },
    );
    try {
      const { coordinator, url, events } = federation;
      const ask = asker(url, token);
      const clients = await Promise.all(
        Array.from({ length: 6 }, (_, i) => federation.client(`person-${i}`, FILMS.slice(3 * i, 3 * i + 9))),
      );
      const asked: Promise<unknown>[] = [];
      let wish: 'pause' | 'stop' | undefined = 'pause';
      const made = () => coordinator.coordination.rounds('films').length;
      coordinator.coordination.subscribe((event) => {
        if (event.type !== 'progress' || event.status.phase !== 'share-keys') return;
        if (wish === undefined || made() < 2) return;
        asked.push(ask('POST', `/tasks/films/${wish}`));
        wish = undefined;
      });
      let pausedAfter = 0;
      let waitsSince = Infinity;
      // Paused, everybody waits for a round: for twice as long as it takes until one begins.
      const waited = (): boolean => {
        const status = coordinator.coordination.status('films');
        if (status?.phase !== 'paused' || status.waiting < 6) return false;
        pausedAfter ||= made();
        waitsSince = Math.min(waitsSince, Date.now());
        return Date.now() - waitsSince > 600;
      };
      await federation.run(clients, waited);
      expect(events.filter(({ type }) => type === 'aborted')).toEqual([]);
      expect(made()).toBe(pausedAfter);

      await ask('POST', '/tasks/films/resume');
      wish = 'stop';
      await federation.run(clients, () => coordinator.coordination.status('films')?.phase === 'stopped');
      await Promise.all(asked);
      expect(events).toContainEqual(expect.objectContaining({ type: 'aborted', reason: 'task-stopped' }));
      expect(events).toContainEqual(expect.objectContaining({ type: 'finished', reason: 'stopped' }));

      const all = coordinator.coordination.rounds('films');
      const page = await ask('GET', '/tasks/films/rounds?limit=2');
      expect(page.body).toEqual({ rounds: all.slice(0, 2), next: all.length > 2 ? 3 : null });
      expect((await ask('GET', `/tasks/films/rounds?from=${all.length}`)).body).toEqual({
        rounds: all.slice(-1),
        next: null,
      });
      expect((await ask('GET', '/tasks/films/rounds?from=0&limit=many')).body).toMatchObject({
        error: { problems: [{ path: 'from' }, { path: 'limit' }] },
      });
    } finally {
      await federation.close();
    }
  });
});
