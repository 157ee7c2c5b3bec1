/**
 * Memory of a coordinator with many greeted sockets at rest, and the time of messages of 200 of them with the others there and without.
 * The coordinator has a process of its own; sockets take two file descriptors each in all (`ulimit -n`).
 *
 *     node --import ./packages/base/source.js packages/server/bench/sockets.bench.ts [sockets]
 */
import { fork, type ChildProcess } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { systemRandom } from '@tutti/base';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import {
  decodeCoordinatorMessage,
  decodeReply,
  encodeMessage,
  helloDigest,
  PROTOCOL_VERSION,
} from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { io, type Socket } from 'socket.io-client';
import { createCoordinator } from '../src/coordinator.ts';

const ACTIVE = 200;
const AT_A_TIME = 50;
const MESSAGES = 10;
const random = systemRandom();

const ask = (socket: Socket, bytes: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve) => socket.emit('m', bytes, resolve));

async function greeted(url: string): Promise<Socket> {
  const identity = nodeCrypto.signKeyPair(random);
  const socket = io(url, {
    path: '/v1/socket',
    transports: ['websocket'],
    forceNew: true,
    autoConnect: false,
  });
  const challenge = new Promise<Uint8Array>((resolve, reject) => {
    socket.once('m', resolve);
    socket.once('connect_error', reject);
  });
  socket.connect();
  const message = decodeCoordinatorMessage(await challenge);
  if (message.type !== 'challenge') throw new Error('no challenge');
  const digest = helloDigest(message.nonce, 'films', message.coordinatorKey, nodeCrypto);
  const signature = nodeCrypto.sign(digest, identity.secretKey);
  const hello = encodeMessage({
    ...{ type: 'hello', protocol: PROTOCOL_VERSION, task: 'films', identityKey: identity.publicKey },
    signature,
  });
  const reply = decodeReply(await ask(socket, hello));
  if (reply.type !== 'welcome') throw new Error(reply.type);
  return socket;
}

async function open(url: string, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Math.min(AT_A_TIME, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: some }, () => greeted(url)))));
  }
  return sockets;
}

/** Milliseconds until each of `sockets` has asked `MESSAGES` times, one after the other, and was answered. */
async function answeredIn(sockets: readonly Socket[]): Promise<number> {
  const began = performance.now();
  const message = encodeMessage({ type: 'decline', attempt: 1, reason: 'not-eligible' });
  await Promise.all(
    sockets.map(async (socket) => {
      for (let i = 0; i < MESSAGES; i++) await ask(socket, message);
    }),
  );
  return performance.now() - began;
}

/** The coordinator, in the other process. */
async function serve(): Promise<void> {
  const gc = (globalThis as { gc?: () => void }).gc;
  const coordinator = await createCoordinator({
    config: {
      listen: { port: 0 },
      tasks: [
        { name: 'films', catalogue: { ids: ['a', 'b', 'c'] }, meanHistory: 2, model: { family: 'mf' } },
      ],
    },
    store: memoryStore(),
    blobs: memoryBlobs(nodeCrypto),
    unmaskThreads: 1,
  });
  process.on('message', () => {
    gc?.();
    gc?.();
    process.send?.(process.memoryUsage());
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.(await coordinator.listen());
}

const told = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => child.once('message', resolve));

async function memoryOf(child: ChildProcess): Promise<NodeJS.MemoryUsage> {
  const answer = told(child);
  child.send('memory');
  return (await answer) as NodeJS.MemoryUsage;
}

async function measure(count: number): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['serve'], {
    execArgv: [...process.execArgv, '--expose-gc'],
  });
  const url = (await told(child)) as string;
  const active = await open(url, ACTIVE);
  await answeredIn(active);
  const alone = await answeredIn(active);
  const before = await memoryOf(child);
  const idle = await open(url, count - ACTIVE);
  const after = await memoryOf(child);
  const among = await answeredIn(active);
  const kB = (key: 'rss' | 'heapUsed' | 'external'): string =>
    ((after[key] - before[key]) / 1e3 / idle.length).toFixed(1);
  process.stdout.write(
    [
      `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`,
      `${count} greeted sockets, kB each at rest: ${kB('rss')} resident, ${kB('heapUsed')} heap, ${kB('external')} external`,
      `${MESSAGES} messages of each of ${ACTIVE}: ${alone.toFixed(0)} ms alone, ${among.toFixed(0)} ms among ${count}`,
      '',
    ].join('\n'),
  );
  child.kill();
  process.exit(0);
}

if (process.argv[2] === 'serve') await serve();
else await measure(Number(process.argv[2] ?? 5_000));
