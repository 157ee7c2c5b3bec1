import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { connect as connectPlain } from 'node:net';
import { toHex } from '@tutti/base';
import { manualClock, memoryBlobs, memoryStore, type CoordinationEvent } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, jsonLog, type CoordinatorConfigInput } from '@tutti/server';
import { io, type Socket } from 'socket.io-client';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { tuttiHere } from '../cli/here.ts';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';

const folder = mkdtempSync(join(tmpdir(), 'tutti-operations-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ofStorage = () => ({ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) });
const answer = async (url: string): Promise<[number, unknown]> => {
  const response = await fetch(url);
  return [response.status, await response.json()];
};

describe('a coordinator that is watched', () => {
  let federation: WireFederation;
  afterEach(async () => federation.close());

  it('measures its rounds, and logs them without anything of anybody', { timeout: 30_000 }, async () => {
    let log = '';
    const destination = { write: (line: string) => void (log += line) };
    const storage = ofStorage();
    federation = await openWireFederation(wireConfig({ rounds: 2 }), { engine: 'ts' }, storage, undefined, {
      log: jsonLog({ level: 'debug', destination }),
    });
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, i) => federation.client(`person-${i}`, FILMS.slice(3 * i, 3 * i + 9))),
    );
    await federation.run(clients, rounds(2));
    await fetch(`${federation.url}/v1/tasks/films/rounds?from=1&secret=film-3`);
    await fetch(`${federation.url}/film-3`);
    const metrics = await (await fetch(`${federation.url}/metrics`)).text();
    expect(metrics).toContain('tutti_rounds_committed_total{task="films"} 2');
    expect(metrics).toContain('tutti_clients_reported_total{task="films"} 12');
    expect(metrics).toContain('tutti_ready 1');
    expect(metrics).toMatch(/tutti_sockets [0-6]\n/);
    expect(metrics).toMatch(/tutti_bytes_total\{direction="up"\} \d{4,}/);
    expect(metrics).toContain('route="/v1/tasks/:task/rounds",method="GET",status="200"');
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    expect(new Set(lines.map(({ event }) => event))).toEqual(
      new Set(['listening', 'opened', 'phase', 'request', 'round-committed', 'finished']),
    );
    const secret = await storage.store.get('coordinator-key');
    const ids = clients.map(({ id }) => id);
    for (const word of [...ids, toHex(secret ?? new Uint8Array()), 'film-3', 'secret='])
      for (const text of [log, metrics]) expect(text).not.toContain(word);
    // Long words are content addresses of models, and nothing else.
    const models = federation.coordinator.coordination.rounds('films').map(({ modelHash }) => modelHash);
    for (const [word] of log.matchAll(/[\w+/=]{40,}/g)) expect(models).toContain(word);
  });

  it(
    'ends well: the round that is going on is made, no other begins, clients are told when to come back',
    { timeout: 30_000 },
    async () => {
      federation = await openWireFederation(wireConfig({ rounds: 50 }), { engine: 'ts' });
      const { coordinator, url } = federation;
      expect(await answer(`${url}/readyz`)).toEqual([200, { status: 'ready' }]);
      const clients = await Promise.all(
        Array.from({ length: 6 }, (_, i) => federation.client(`person-${i}`, FILMS.slice(3 * i, 3 * i + 9))),
      );
      let drained: Promise<boolean> | undefined;
      const during: unknown[] = [];
      const committedSince: number[] = [];
      coordinator.coordination.subscribe((event: CoordinationEvent) => {
        if (event.type === 'committed' && drained !== undefined) committedSince.push(event.record.round);
        if (event.type !== 'progress' || event.status.phase !== 'share-keys' || drained !== undefined) return;
        drained = coordinator.drain();
        void answer(`${url}/readyz`).then((told) => during.push(told));
      });
      await federation.run(clients, rounds(1));
      expect(await drained).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(committedSince).toEqual([1]);
      expect(coordinator.coordination.status('films')).toMatchObject({ round: 1, phase: 'select' });
      expect(during).toEqual([
        [503, { status: 'draining', problem: 'it is about to stop, and begins no round' }],
      ]);
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
    },
  );

  it(
    'waits no longer than its deadline for a round that does not end, which then ends by name',
    { timeout: 30_000 },
    async () => {
      const config = { ...wireConfig(), drain: { deadlineMs: 200 } };
      federation = await openWireFederation(config, { engine: 'ts' });
      const { coordinator } = federation;
      const clients = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          federation.client(`person-${i}`, FILMS.slice(3 * i, 3 * i + 9), { answerEveryMs: 5_000 }),
        ),
      );
      let drained: Promise<boolean> | undefined;
      coordinator.coordination.subscribe((event) => {
        if (event.type === 'progress' && event.status.phase === 'train') drained ??= coordinator.drain();
      });
      await federation.run(clients, () => drained !== undefined);
      expect(await drained).toBe(false);
      await coordinator.close();
      expect(federation.events).toContainEqual(
        expect.objectContaining({ type: 'aborted', reason: 'task-stopped' }),
      );
    },
  );
});

it('says for a while that it is about to stop, where it is one of many, and no longer than its deadline', async () => {
  for (const [deadlineMs, ms] of [
    [20_000, 2_000],
    [500, 500],
  ] as const) {
    const clock = manualClock();
    const config = { ...wireConfig(), drain: { deadlineMs } };
    await using coordinator = await createCoordinator({ config, ...ofStorage(), clock, noticeMs: 2_000 });
    const url = await coordinator.listen();
    let isOver = false;
    const drained = coordinator.drain().finally(() => (isOver = true));
    clock.advance(ms - 1);
    // Answered meanwhile, also on new connections.
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect(isOver).toBe(false);
    clock.advance(1);
    expect(await drained).toBe(true);
  }
});

describe('a coordinator among senders that never end', () => {
  /** What a raw connection is answered, and how long it was open. */
  const raw = (
    url: string,
    send: (write: (text: string) => void) => void,
  ): Promise<{ text: string; ms: number }> =>
    new Promise((resolve) => {
      const began = Date.now();
      let text = '';
      const socket = connectPlain(Number(new URL(url).port), '127.0.0.1', () =>
        send((part) => void socket.write(part)),
      );
      socket.on('data', (chunk) => (text += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve({ text, ms: Date.now() - began }));
    });

  it(
    'ends headers without end, bodies that are too large, and requests that trickle, and serves the rest',
    { timeout: 30_000 },
    async () => {
      await using coordinator = await createCoordinator({
        ...{ config: wireConfig(), ...ofStorage() },
        patience: { headersMs: 1_000, requestMs: 1_500, lookEveryMs: 200 },
      });
      const url = await coordinator.listen();
      const trickling = Array.from({ length: 50 }, () =>
        raw(url, (write) => write('GET /healthz HTTP/1.1\r\nhost: x\r\na')),
      );
      const endless = raw(url, (write) => {
        write('GET /healthz HTTP/1.1\r\nhost: x\r\n');
        for (let i = 0; i < 400; i++) write(`x-${i}: ${'a'.repeat(200)}\r\n`);
      });
      expect((await endless).text).toMatch(
        /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n[^]*\r\n\r\n\{"error":\{"code":"http\/headers-too-large","message":/,
      );
      const half = raw(url, (write) =>
        write(
          'POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
        ),
      );
      expect((await raw(url, (write) => write('no HTTP\r\n\r\n'))).text).toMatch(
        /^HTTP\/1\.1 400 [^]*\{"error":\{"code":"http\/bad-request","message":/,
      );
      const large = raw(url, (write) =>
        write(
          'POST /v1/status HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n{',
        ),
      );
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      for (const { text, ms } of await Promise.all(trickling)) {
        expect(text).toMatch(
          /^HTTP\/1\.1 408 Request Timeout\r\n[^]*\r\n\r\n\{"error":\{"code":"http\/request-timeout","message":/,
        );
        expect(ms).toBeLessThan(15_000);
      }
      // No token: whatever becomes of the body, nothing else is said.
      expect((await half).text).toMatch(
        /^HTTP\/1\.1 401 [^]*\{"error":\{"code":"http\/unauthorized"[^}]*\}\}$/,
      );
      expect((await large).text).toMatch(/^HTTP\/1\.1 (404|413)/);
    },
  );
});

describe('a coordinator behind a proxy that is named as trusted', () => {
  const config = (limits: CoordinatorConfigInput['limits']): CoordinatorConfigInput => ({
    ...wireConfig(),
    listen: { port: 0, trustedProxies: ['127.0.0.1'] },
    limits,
  });
  const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });

  it('refuses what is over an address’s limit by name, with a time to come back, and serves the others', async () => {
    await using coordinator = await createCoordinator({
      config: config({ requestsPerMinute: 2 }),
      ...ofStorage(),
    });
    const url = await coordinator.listen();
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await fetch(`${url}/v1/status`, from('203.0.113.1'))).status);
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await fetch(`${url}/v1/status`, from('6.6.6.6, 203.0.113.1'));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
    expect(await refused.json()).toMatchObject({ error: { code: 'http/too-many-requests' } });
    expect((await fetch(`${url}/v1/status`, from('203.0.113.2'))).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('tutti_refused_total{limit="requests"} 2');
  });

  it('lets an address open so many sockets, tells the next when to come back, and forgets those that end', async () => {
    await using coordinator = await createCoordinator({
      config: config({ connectionsPerAddress: 2 }),
      ...ofStorage(),
    });
    const url = await coordinator.listen();
    const open = (address: string): Promise<{ socket: Socket; refused?: Error & { data?: unknown } }> =>
      new Promise((resolve) => {
        const options = {
          path: '/v1/socket',
          transports: ['websocket'],
          reconnection: false,
          forceNew: true,
        };
        const socket = io(url, { ...options, extraHeaders: from(address).headers });
        socket.on('connect', () => resolve({ socket }));
        socket.on('connect_error', (refused) => resolve({ socket, refused }));
      });
    const first = await open('203.0.113.1');
    const second = await open('203.0.113.1');
    const third = await open('203.0.113.1');
    const other = await open('203.0.113.2');
    expect([first, second, other].map(({ refused }) => refused)).toEqual([undefined, undefined, undefined]);
    expect(third.refused?.message).toBe('too-busy: 2 sockets are open from one address');
    expect(third.refused?.data).toEqual({ retryAfterMs: 30_000 });
    first.socket.disconnect();
    third.socket.disconnect();
    await expect
      .poll(async () => {
        const again = await open('203.0.113.1');
        if (again.refused !== undefined) again.socket.disconnect();
        return again.refused;
      })
      .toBeUndefined();
    for (const { socket } of [second, other]) socket.disconnect();
  });
});

/** A certificate of its own for localhost. */
function certificate(name: string): { certificate: string; key: string } {
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const args = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3'],
    ...['-keyout', files.key, '-out', files.certificate, '-subj', `/CN=${name}`],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  ];
  execFileSync('openssl', args, { stdio: 'ignore' });
  return files;
}

const nameAt = (url: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const { port } = new URL(url);
    const socket = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.on('error', reject);
  });

describe('a coordinator with a certificate', () => {
  const hasOpenssl = (() => {
    try {
      execFileSync('openssl', ['version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();
  const withTls = (tls: { certificate: string; key: string }): CoordinatorConfigInput => ({
    ...wireConfig(),
    listen: { port: 0, tls },
  });

  it('speaks HTTPS, takes up a new certificate while it runs, and keeps the old one where the new one is wrong', async (ctx) => {
    if (!hasOpenssl) ctx.skip('needs openssl: not on this machine');
    const files = certificate('first');
    const said: object[] = [];
    const log = { write: (event: string, fields: object) => void said.push({ event, ...fields }) };
    await using coordinator = await createCoordinator({ config: withTls(files), ...ofStorage(), log });
    const url = await coordinator.listen();
    expect(url).toMatch(/^https:/);
    const status = await new Promise((resolve, reject) => {
      request(`${url}/readyz`, { rejectUnauthorized: false }, (response) => resolve(response.statusCode))
        .on('error', reject)
        .end();
    });
    expect([status, await nameAt(url)]).toEqual([200, 'first']);
    const { code, stderr } = await tuttiHere(['task', 'list', '--coordinator', url]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/certificate of .* is not trusted.*NODE_EXTRA_CA_CERTS/),
    ]);
    expect(stderr).not.toContain('Start one');
    const second = certificate('second');
    execFileSync('cp', [second.certificate, files.certificate]);
    expect(() => coordinator.reloadCertificate()).toThrow('first.key is not the key of');
    expect(said.at(-1)).toMatchObject({ event: 'failed', part: 'certificate', code: 'server/bad-config' });
    expect(await nameAt(url)).toBe('first');
    execFileSync('cp', [second.key, files.key]);
    coordinator.reloadCertificate();
    expect(await nameAt(url)).toBe('second');
  });

  it('is refused where the files are wrong, each by its path, and nothing of them in the message', async (ctx) => {
    if (!hasOpenssl) ctx.skip('needs openssl: not on this machine');
    const { certificate: good } = certificate('third');
    const key = join(folder, 'not-a-key');
    writeFileSync(key, 'hunter2');
    const attempt = (tls: { certificate: string; key: string }) =>
      createCoordinator({ config: withTls(tls), ...ofStorage() });
    await expect(attempt({ certificate: key, key: join(folder, 'missing') })).rejects.toThrow(
      /listen\.tls\.key: .*missing cannot be read: ENOENT\nlisten\.tls\.certificate: .*not-a-key holds no PEM certificate$/,
    );
    await expect(attempt({ certificate: good, key })).rejects.toThrow(
      /^listen\.tls\.key: .*holds no PEM private key, or one with a passphrase$/,
    );
  });
});
