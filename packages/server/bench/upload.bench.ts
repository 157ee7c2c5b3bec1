/**
 * Upload throughput of the server's sockets (decode, assemble, acknowledge each frame) against bare socket.io with the
 * same frames and acknowledgements.
 *
 *     node --import ./packages/base/source.js packages/server/bench/upload.bench.ts
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { systemRandom } from '@tutti/base';
import type { Coordination } from '@tutti/coordination';
import {
  addUpload,
  decodeReply,
  encodeMessage,
  frameCount,
  frameOf,
  helloDigest,
  openUpload,
  PROTOCOL_VERSION,
  takeFrame,
  decodeCoordinatorMessage,
  type Upload,
} from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import type { MaskedInput } from '@tutti/secure-aggregation';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { addressReader } from '../src/address.ts';
import { openGate } from '../src/gate.ts';
import { openSockets, SOCKET_PATH } from '../src/sockets.ts';

const WORDS = 118_592;
const UPLOADS = 60;
const RUNS = 5;
const random = systemRandom();
const vector = new Uint32Array(random.bytes(4 * WORDS).buffer) as MaskedInput;
const frames = Array.from({ length: frameCount(WORDS, 32) }, (_, index) =>
  encodeMessage(frameOf(1, vector, index, 32)),
);

const ask = (socket: Socket, bytes: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve) => socket.emit('m', bytes, (reply: Uint8Array) => resolve(reply)));

async function connected(url: string): Promise<Socket> {
  const socket = io(url, { path: SOCKET_PATH, transports: ['websocket'], autoConnect: false });
  const opened = new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  socket.connect();
  await opened;
  return socket;
}

const megabytesPerSecond = async (socket: Socket): Promise<number> => {
  const started = performance.now();
  for (let upload = 0; upload < UPLOADS; upload++) for (const frame of frames) await ask(socket, frame);
  return (UPLOADS * 4 * WORDS) / 1e3 / (performance.now() - started);
};

/** The server's own sockets, with a coordination that assembles and adds, as the engine does. */
async function tuttiServer(): Promise<{ url: string; sum: Uint32Array; close(): Promise<void> }> {
  const keyPair = nodeCrypto.signKeyPair(random);
  const sum = new Uint32Array(WORDS);
  let upload: Upload = openUpload(WORDS, 32);
  const coordination = {
    publicKey: keyPair.publicKey,
    taskInfo: () => ({}),
    connected: () => undefined,
    disconnected: () => undefined,
    handle: async (_client: unknown, message: Parameters<typeof takeFrame>[1]) => {
      const result = takeFrame(upload, message);
      if (result.kind === 'out-of-order') throw new Error('out of order');
      upload = result.kind === 'complete' ? openUpload(WORDS, 32) : result.upload;
      if (result.kind === 'complete') addUpload(sum, result.upload);
      return { type: 'accepted' as const, next: upload.frames.length };
    },
  } as unknown as Coordination;
  const http = createServer();
  const sockets = openSockets({
    ...{ crypto: nodeCrypto, random, addressOf: addressReader([]) },
    gate: openGate({
      connectionsPerAddress: 10,
      handshakesPerMinute: 100,
      requestsPerMinute: 100,
      messagesPerMinute: 6_000,
    }),
  });
  sockets.attach(http, coordination);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    sum,
    close: () => sockets.close(),
  };
}

async function greeted(url: string): Promise<Socket> {
  const identity = nodeCrypto.signKeyPair(random);
  const socket = io(url, { path: SOCKET_PATH, transports: ['websocket'], autoConnect: false });
  const challenge = new Promise<Uint8Array>((resolve) => socket.once('m', resolve));
  socket.connect();
  const message = decodeCoordinatorMessage(await challenge);
  if (message.type !== 'challenge') throw new Error('no challenge');
  const signature = nodeCrypto.sign(
    helloDigest(message.nonce, 'films', message.coordinatorKey, nodeCrypto),
    identity.secretKey,
  );
  const reply = decodeReply(
    await ask(
      socket,
      encodeMessage({
        type: 'hello',
        protocol: PROTOCOL_VERSION,
        task: 'films',
        identityKey: identity.publicKey,
        signature,
      }),
    ),
  );
  if (reply.type !== 'welcome') throw new Error(reply.type);
  return socket;
}

async function bareServer(): Promise<{ url: string; close(): Promise<void> }> {
  const http = createServer();
  const server = new Server(http, { path: SOCKET_PATH, transports: ['websocket'], perMessageDeflate: false });
  const answer = encodeMessage({ type: 'accepted' });
  server.on('connection', (socket) =>
    socket.on('m', (_bytes: unknown, acknowledge: (reply: Uint8Array) => void) => acknowledge(answer)),
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    close: async () => void (await server.close()),
  };
}

const [tutti, bare] = [await tuttiServer(), await bareServer()];
const sockets = { tutti: await greeted(tutti.url), bare: await connected(bare.url) };
await megabytesPerSecond(sockets.tutti);
const expected = vector.map((word) => Math.imul(word, UPLOADS) >>> 0);
if (tutti.sum.some((word, i) => word !== expected[i])) throw new Error('the sum is wrong');
await megabytesPerSecond(sockets.bare);
const speeds: Record<'tutti' | 'bare', number[]> = { tutti: [], bare: [] };
for (let run = 0; run < RUNS; run++)
  for (const side of ['tutti', 'bare'] as const) speeds[side].push(await megabytesPerSecond(sockets[side]));
const row = (name: string, values: number[]): string => {
  const sorted = [...values].sort((a, b) => a - b);
  return `| ${name} | ${sorted[sorted.length >> 1]?.toFixed(0)} | ${sorted[0]?.toFixed(0)} – ${sorted.at(-1)?.toFixed(0)} |`;
};
process.stdout.write(
  [
    `vectors of ${WORDS} words in ${frames.length} frames, one connection, one frame at a time; client and server in one process`,
    `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}`,
    '',
    '| server | median MB/s | spread |',
    '| --- | --: | --- |',
    row('Tutti', speeds.tutti),
    row('bare socket.io', speeds.bare),
    '',
  ].join('\n'),
);
sockets.tutti.disconnect();
sockets.bare.disconnect();
await Promise.all([tutti.close(), bare.close()]);
