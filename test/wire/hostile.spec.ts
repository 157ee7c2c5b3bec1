import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator } from '@tutti/server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';

/** Peers who mean harm, on connections of their own, beside clients who take part. Which deadline ends slow requests: operations.spec.ts. */

const UPGRADE = [
  'GET /v1/socket/?EIO=4&transport=websocket HTTP/1.1',
  ...['host: x', 'upgrade: websocket', 'connection: Upgrade', 'sec-websocket-version: 13'],
  'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
];
const HELLO_MS = 10_000;
const HALF_OPEN = 500;

interface Peer {
  text(): string;
  send(bytes: string | Uint8Array): void;
  /** Resolves when the coordinator has ended it, with how long that took. */
  readonly ended: Promise<number>;
  until(word: string): Promise<void>;
  close(): void;
}

function openPeer(url: string, first: string): Peer {
  const began = Date.now();
  let text = '';
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(first);
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  return {
    text: () => text,
    send: (bytes) => void socket.write(bytes),
    ended: new Promise((resolve) => socket.on('close', () => resolve(Date.now() - began))),
    async until(word) {
      await expect.poll(() => text, { timeout: 5_000 }).toContain(word);
    },
    close: () => socket.destroy(),
  };
}

const upgrade = (...more: string[]): string => [...UPGRADE, ...more, '', ''].join('\r\n');

/** The head of a masked frame of a client. @param first its first byte: final, compressed, kind. */
function frameHead(first: number, length: number): Uint8Array {
  const head = Buffer.alloc(14);
  head.writeUInt8(first, 0);
  head.writeUInt8(0x80 | 127, 1);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

describe('a coordinator among peers who mean harm', () => {
  let federation: WireFederation;
  beforeEach(async () => (federation = await openWireFederation(wireConfig(), { engine: 'ts' })));
  afterEach(async () => federation.close());

  it('speaks no compression and no polling, and reads no compressed body', async () => {
    const { url } = federation;
    const peer = openPeer(
      url,
      upgrade('sec-websocket-extensions: permessage-deflate; client_max_window_bits'),
    );
    await peer.until('101 Switching Protocols');
    expect(peer.text().toLowerCase()).not.toContain('sec-websocket-extensions');
    // A frame that says it is compressed is one that nobody agreed on.
    peer.send(frameHead(0xc2, 1_000));
    expect(await peer.ended).toBeLessThan(5_000);
    const polling = await fetch(`${url}/v1/socket/?EIO=4&transport=polling`);
    expect([polling.status, await polling.json()]).toMatchObject([400, { code: 0 }]);
    const bomb = await fetch(`${url}/api/v1/tasks`, {
      ...{ method: 'POST', body: gzipSync(Buffer.alloc(2 ** 24)) },
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    expect(bomb.status).toBe(401);
    const posted = (path: string, headers: Record<string, string>, body: string | Uint8Array) =>
      fetch(url + path, { method: 'POST', headers, body: body as BodyInit });
    const encoded = await posted('/v1/nothing', { 'content-encoding': 'gzip' }, gzipSync('{}'));
    expect([encoded.status, await encoded.json()]).toMatchObject([
      415,
      { error: { code: 'http/content-encoding' } },
    ]);
  });

  it('ends who says that a frame is larger than any message, before it comes', async () => {
    const peer = openPeer(federation.url, upgrade());
    await peer.until('101 Switching Protocols');
    peer.send(frameHead(0x82, 2 ** 40));
    expect(await peer.ended).toBeLessThan(5_000);
  });

  it(
    `makes a round among ${HALF_OPEN} half-open upgrades, handshakes and frames, each of which is ended by a deadline`,
    { timeout: 60_000 },
    async () => {
      const { url } = federation;
      const peers = Array.from({ length: HALF_OPEN }, (_, i) =>
        openPeer(url, i % 2 === 0 ? upgrade() : upgrade().slice(0, -4)),
      );
      await Promise.all(peers.filter((_, i) => i % 2 === 0).map(async (peer) => peer.until('101 Switching')));
      // Half a frame, which never goes on; others say nothing at all.
      peers.forEach((peer, i) => void (i % 4 === 0 && peer.send(frameHead(0x82, 1_000))));
      const clients = await Promise.all(
        Array.from({ length: 6 }, (_, i) => federation.client(`person-${i}`, FILMS.slice(i, i + 5))),
      );
      await federation.run(clients, rounds(1));
      const times = await Promise.all(peers.map(async ({ ended }) => ended));
      expect(Math.max(...times)).toBeLessThan(3 * HELLO_MS);
      await expect.poll(async () => metric(url, 'tutti_sockets'), { timeout: 5_000 }).toBeLessThanOrEqual(6);
      for (const limit of ['greeting', 'request'])
        await expect
          .poll(() => metric(url, `tutti_refused_total\\{limit="${limit}-deadline"\\}`), { timeout: 5_000 })
          .toBeGreaterThanOrEqual(HALF_OPEN / 2);
    },
  );
});

const metric = async (url: string, name: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
};

it('a body without end is ended at the largest that a route takes', async () => {
  await using coordinator = await createCoordinator({
    ...{ config: wireConfig(), store: memoryStore(), blobs: memoryBlobs(nodeCrypto) },
  });
  const url = await coordinator.listen();
  const peer = openPeer(
    url,
    'POST /api/v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
  );
  const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
  const flood = setInterval(() => peer.send(chunk), 1);
  try {
    expect(await peer.ended).toBeLessThan(20_000);
    expect(peer.text()).toMatch(/^HTTP\/1\.1 (404|413)/);
  } finally {
    clearInterval(flood);
    peer.close();
  }
}, 30_000);
