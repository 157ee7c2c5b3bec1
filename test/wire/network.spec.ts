import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, StoreInUseError, type Client } from '@tutti/client-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, type WireFederation } from './federation.ts';

/** Clients whose way to the coordinator is not the plain one. */

const listening = (server: Server | ReturnType<typeof createTcpServer>): Promise<string> =>
  new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    ),
  );

/** A larger site that has the coordinator at `/fl/`, and says nothing any more once it is silent. */
async function openSite(target: string): Promise<{ url: string; silence(): void; close(): void }> {
  const { hostname, port } = new URL(target);
  const inner = (url = ''): string | undefined => (url.startsWith('/fl/') ? url.slice(3) : undefined);
  let silent = false;
  const sockets = new Set<Socket>();
  const server = createServer((incoming, outgoing) => {
    if (silent) return;
    const path = inner(incoming.url);
    if (path === undefined) return void outgoing.writeHead(404).end();
    request({ hostname, port, path, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    }).end();
  });
  server.on('upgrade', (incoming, client: Socket) => {
    const path = inner(incoming.url);
    if (path === undefined) return void client.destroy();
    const upstream = connect(Number(port), hostname);
    const headers = incoming.rawHeaders.flatMap((name, i, all) => (i % 2 ? [] : [`${name}: ${all[i + 1]}`]));
    upstream.write([`GET ${path} HTTP/1.1`, ...headers, '', ''].join('\r\n'));
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.pipe(upstream).pipe(client);
  });
  server.on('connection', (socket) => sockets.add(socket));
  return {
    url: `${await listening(server)}/fl`,
    silence: () => void (silent = true),
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A way to `target` that, once told to, breaks each of the next `breaks` connections when so many bytes went up on it. */
async function openBreakingWay(
  target: string,
  afterBytes: (connection: number) => number,
): Promise<{ url: string; breakNext(count: number): void; broken(): number; close(): void }> {
  const { hostname, port } = new URL(target);
  let breaks = 0;
  let connections = 0;
  let broken = 0;
  const sockets = new Set<Socket>();
  const server = createTcpServer((client) => {
    const upstream = connect(Number(port), hostname);
    const most = connections < breaks ? afterBytes(connections++) : Number.POSITIVE_INFINITY;
    let sent = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => [client, upstream].forEach((end) => end.destroy()));
    }
    client.on('data', (chunk: Buffer) => {
      sent += chunk.length;
      if (sent <= most) return;
      broken++;
      client.destroy();
    });
    client.pipe(upstream).pipe(client);
  });
  return {
    url: await listening(server),
    breakNext: (count) => void (breaks = count),
    broken: () => broken,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('a client', () => {
  let federation: WireFederation;
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tutti-network-'));
    federation = await openWireFederation();
  });
  afterEach(async () => {
    await federation.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const open = (coordinator: string, name: string, task = 'films'): Promise<Client> =>
    createClient({
      coordinator,
      task,
      store: join(folder, name),
      engine: federation.engine,
      policy: { smallestCohort: 2, insecureSmallCohort: true },
      backOff: { firstMs: 50, mostMs: 500 },
      answerEveryMs: 20,
    });
  const everybody = async (coordinator: string): Promise<Client[]> => {
    const clients = await Promise.all(Array.from({ length: 6 }, (_, i) => open(coordinator, `person-${i}`)));
    await Promise.all(
      clients.map((client, i) => client.record(FILMS.slice(i, i + 9).map((item) => ({ item })))),
    );
    return clients;
  };

  it('takes part behind a path of a larger site, with a slash at its end or without', async () => {
    const site = await openSite(federation.url);
    const clients = await everybody(`${site.url}/`);
    await federation.run(clients, rounds(1));
    await clients[0]?.close();
    await (await open(site.url, 'person-0')).close();
    await Promise.all(clients.map((client) => client.close()));
    site.close();
  });

  it('opens, records and recommends where the network swallows everything, once it knows its task', async () => {
    const site = await openSite(federation.url);
    const before = await open(site.url, 'person');
    await before.recommend({ k: 1 });
    await before.close();
    site.silence();
    const client = await open(site.url, 'person');
    await client.record({ item: 'film-3' });
    expect(await client.recommend({ k: 5 })).toHaveLength(5);
    await client.close();
    site.close();
  });

  it('has its folder for itself, and leaves it free where it cannot be opened', async () => {
    await expect(open(federation.url, 'person', 'books')).rejects.toThrow('has no task books');
    const client = await open(federation.url, 'person');
    await expect(open(federation.url, 'person')).rejects.toThrow(StoreInUseError);
    await client.close();
  });

  it('is counted once however often its connection breaks', async () => {
    // Somewhere in the greeting, in the shares, and inside the vector: 120 rows of 8 words and more are about 4 kB.
    const way = await openBreakingWay(federation.url, (connection) => 900 + 450 * (connection % 12));
    const clients = await everybody(way.url);
    way.breakNext(24);
    await federation.run(clients, rounds(3));
    expect(way.broken()).toBeGreaterThan(6);
    const records = federation.coordinator.coordination.rounds('films');
    expect(records.map(({ round }) => round)).toEqual([1, 2, 3]);
    for (const { reported, metrics, cohort } of records) {
      expect(reported).toBeLessThanOrEqual(cohort);
      expect(metrics.evaluated).toBe(reported);
    }
    await Promise.all(clients.map((client) => client.close()));
    way.close();
  });
});
