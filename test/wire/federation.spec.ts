import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@tutti/client-node';
import { PROTOCOL_VERSION } from '@tutti/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { io } from 'socket.io-client';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';

/** Everything in a folder, as one text. */
const contentOf = (folder: string): string =>
  readdirSync(folder)
    .map((name) => readFileSync(join(folder, name)).toString('latin1'))
    .join('\n');

describe('a federation over real sockets', () => {
  let federation: WireFederation;
  afterEach(async () => federation.close());

  it('commits rounds, measures everybody, and recommends on the device', async () => {
    federation = await openWireFederation();
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, i) => federation.client(`person-${i}`, FILMS.slice(3 * i, 3 * i + 9))),
    );
    const heard: string[] = [];
    clients[0]?.on('round', ({ outcome, survivors }) => heard.push(`${outcome} ${survivors ?? 0}`));
    await federation.run(clients, rounds(3));
    const records = federation.coordinator.coordination.rounds('films');
    expect(records.map(({ round, reported }) => [round, reported])).toEqual([
      [1, 6],
      [2, 6],
      [3, 6],
    ]);
    expect(records[0]?.metrics.evaluated).toBe(6);
    expect(records[0]?.upBytes).toBeGreaterThan(6 * 4 * 8 * FILMS.length);
    expect(heard).toContain('committed 6');
    await clients[0]?.refresh();
    const list = (await clients[0]?.recommend({ k: 5, exclude: ['film-50'] })) ?? [];
    expect(list).toHaveLength(5);
    const touched = new Set([...FILMS.slice(0, 9), 'film-50']);
    expect(list.some(({ item }) => touched.has(item))).toBe(false);
    expect(list.map(({ score }) => score)).toEqual([...list.map(({ score }) => score)].sort((a, b) => b - a));
  });

  it('goes on with a client that was closed and opened again: same identity, same history, still recommends without a network', async () => {
    federation = await openWireFederation();
    const folder = mkdtempSync(join(tmpdir(), 'tutti-reopen-'));
    const open = () =>
      createClient({
        coordinator: federation.url,
        task: 'films',
        store: folder,
        engine: federation.engine,
        policy: { smallestCohort: 2, insecureSmallCohort: true },
      });
    const first = await open();
    await first.record([{ item: 'film-1' }, { item: 'film-2', kind: 'watch' }]);
    await first.record({ item: 'not-in-the-catalogue' });
    await first.recommend({ k: 3 });
    await first.close();
    await federation.coordinator.close();
    const second = await open();
    expect(second.id).toBe(first.id);
    expect((await second.history()).map(({ item }) => item)).toEqual([
      'film-1',
      'film-2',
      'not-in-the-catalogue',
    ]);
    expect(await second.recommend({ k: 3 })).toHaveLength(3);
    expect(contentOf(folder)).not.toContain('film-1');
    expect(statSync(join(folder, 'key')).mode & 0o077).toBe(0);
    await second.forget();
    expect(() => readdirSync(folder)).toThrow('ENOENT');
    rmSync(folder, { recursive: true, force: true });
  });

  it('refuses another coordinator at the same address, naming both keys', async () => {
    federation = await openWireFederation();
    const pinned = 'ab'.repeat(32);
    const folder = mkdtempSync(join(tmpdir(), 'tutti-pin-'));
    const attempt = createClient({
      coordinator: federation.url,
      task: 'films',
      store: folder,
      engine: federation.engine,
      coordinatorKey: pinned,
    });
    await expect(attempt).rejects.toThrow(/abababab.* is pinned/);
    rmSync(folder, { recursive: true, force: true });
  });

  it('holds to its pin and its task without a network too', async () => {
    federation = await openWireFederation();
    const store = mkdtempSync(join(tmpdir(), 'tutti-offline-'));
    const { engine, url } = federation;
    await (await createClient({ coordinator: url, task: 'films', store, engine })).close();
    await federation.coordinator.close();
    const open = (options: object) =>
      createClient({ coordinator: url, task: 'films', store, engine, ...options });
    await expect(open({ coordinatorKey: 'ab'.repeat(32) })).rejects.toThrow(/coordinator/);
    await expect(open({ task: 'books' })).rejects.toThrow('belongs to task films');
    await (await open({})).close();
  });

  it('survives strangers: text, garbage, oversize and thousands of random messages', async () => {
    federation = await openWireFederation();
    const socket = io(federation.url, {
      path: '/v1/socket',
      transports: ['websocket'],
      reconnection: true,
      reconnectionDelay: 10,
    });
    await new Promise<void>((resolve) => socket.on('connect', () => resolve()));
    const ask = (payload: unknown): Promise<unknown> =>
      new Promise((resolve) =>
        socket.timeout(1_000).emit('m', payload, (_error: unknown, reply: unknown) => resolve(reply)),
      );
    const reply = (await ask(Buffer.from([PROTOCOL_VERSION, 99, 0, 0]))) as Uint8Array;
    expect(Buffer.from(reply).toString('latin1')).toContain('malformed');
    expect(Buffer.from(reply).toString('latin1')).toContain('code');
    for (let i = 0; i < 2_000; i++) {
      if (socket.connected)
        socket.emit('m', Buffer.from(Array.from({ length: i % 60 }, (_, n) => (i * 31 + n * 17) & 255)));
      if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    socket.emit('m', 'text');
    socket.emit('m', Buffer.alloc(600_000));
    socket.disconnect();
    const health = await fetch(`${federation.url}/healthz`);
    expect(await health.json()).toEqual({ status: 'ok' });
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, i) => federation.client(`after-${i}`, FILMS.slice(i, i + 5))),
    );
    await federation.run(clients, rounds(1));
  });

  it('serves blobs by hash: immutable, in ranges, and nothing else', async () => {
    federation = await openWireFederation();
    const info = (await (await fetch(`${federation.url}/v1/tasks/films`)).json()) as { modelHash: string };
    const url = `${federation.url}/v1/blobs/${info.modelHash}`;
    const whole = await fetch(url);
    const bytes = new Uint8Array(await whole.arrayBuffer());
    expect(whole.headers.get('cache-control')).toContain('immutable');
    const part = await fetch(url, { headers: { range: 'bytes=10-19' } });
    expect(part.status).toBe(206);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.slice(10, 20));
    expect((await fetch(url, { headers: { 'if-none-match': whole.headers.get('etag') ?? '' } })).status).toBe(
      304,
    );
    expect((await fetch(url, { headers: { range: `bytes=${bytes.length}-` } })).status).toBe(416);
    expect((await fetch(`${federation.url}/v1/blobs/nothing`)).status).toBe(404);
    expect((await fetch(`${federation.url}/v1/tasks/other`)).status).toBe(404);
    expect((await fetch(`${federation.url}/v1/tasks/films/rounds?from=x`)).status).toBe(400);
  });

  it('is closed to those who hold many streams open or send a body, and stays up', async () => {
    federation = await openWireFederation();
    const stop = new AbortController();
    const streams = Array.from({ length: 300 }, () =>
      fetch(`${federation.url}/v1/events`, { signal: stop.signal }),
    );
    const statuses = (await Promise.all(streams)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(256);
    expect(statuses.filter((status) => status === 503)).toHaveLength(44);
    stop.abort();
    const large = await fetch(`${federation.url}/v1/status`, { method: 'POST', body: 'x'.repeat(1_000_000) });
    expect(large.status).toBeGreaterThanOrEqual(400);
    expect((await fetch(`${federation.url}/healthz`)).status).toBe(200);
  });

  it('reads no more of a coordinator than it takes, whatever that says of its length', async () => {
    federation = await openWireFederation();
    const flood = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const send = (): void => {
        if (!response.destroyed) response.write('x'.repeat(65_536), send);
      };
      send();
    });
    await new Promise<void>((resolve) => flood.listen(0, '127.0.0.1', resolve));
    const { port } = flood.address() as AddressInfo;
    const coordinator = `http://127.0.0.1:${port}`;
    const store = mkdtempSync(join(tmpdir(), 'tutti-flood-'));
    await expect(createClient({ coordinator, task: 'films', store })).rejects.toThrow(
      /more than the 1048576 bytes/,
    );
    flood.closeAllConnections();
    flood.close();
  });

  it('refuses options and interactions that are not what they must be, by name, and keeps nothing of them', async () => {
    federation = await openWireFederation();
    const store = mkdtempSync(join(tmpdir(), 'tutti-options-'));
    const good = { coordinator: federation.url, task: 'films', store };
    for (const [wrong, message] of [
      [{ coordinator: 'nonsense' }, /coordinator is nonsense/],
      [{ coordinator: 'ftp://x' }, /coordinator is ftp/],
      [{ sealingKey: new Uint8Array(5) }, /sealingKey has 5 bytes; 32/],
      [{ coordinatorKey: 'zz' }, /coordinatorKey: 64/],
      [{ policy: { smallestCohort: 1.5 } }, /policy\.smallestCohort is 1\.5/],
    ] as const)
      await expect(createClient({ ...good, ...wrong })).rejects.toThrow(message);
    expect(readdirSync(store)).toEqual([]);
    const client = await federation.client('person', FILMS.slice(0, 5));
    for (const wrong of [
      null,
      'film-1',
      {},
      { item: 5 },
      { item: '' },
      { item: 'a', kind: 3 },
      { item: 'a', at: Number.NaN },
      { item: 'a', time: 5 },
    ])
      await expect(client.record([{ item: 'film-9' }, wrong] as never)).rejects.toThrow(
        / is not (a |\{ item)/,
      );
    await expect(client.recommend({ exclude: 'film-1' as never })).rejects.toThrow('a list of item ids');
    expect(await client.history()).toHaveLength(5);
  });

  it('forgets for good: a client that was forgotten keeps and does nothing any more', async () => {
    federation = await openWireFederation();
    const client = await federation.client('person', FILMS.slice(0, 5));
    await client.forget();
    for (const use of [
      () => client.record({ item: 'film-1' }),
      () => client.recommend(),
      () => client.refresh(),
      () => client.participate(),
    ])
      await expect(use()).rejects.toThrow('this client was forgotten');
    expect(await client.history()).toEqual([]);
  });

  it('refuses a wrong configuration at once, every problem with its path', async () => {
    federation = await openWireFederation();
    const wrong = wireConfig({
      round: { cohort: 12 },
      insecureSmallCohort: false,
      strategy: { name: 'fedadam', beta1: 3 },
    });
    await expect(openWireFederation(wrong)).rejects.toThrow(
      /tasks\[0\]\.round\.cohort: 12 is below 16[^]*strategy/,
    );
    await expect(openWireFederation({ ...wrong, listen: { port: 99_999 }, tasks: [] })).rejects.toThrow(
      /listen\.port[^]*tasks/,
    );
  });
});
