import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createCoordination, memoryBlobs, memoryStore, type CoordinationOptions } from '@tutti/coordination';
import { encodeMessage } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, type CoordinatorConfigInput } from '@tutti/server';
import { Server } from 'socket.io';
import { openNode } from '../cluster/processes.ts';

/**
 * What devices upload to, in a process of its own: `bare` socket.io that throws bytes away and acknowledges, a coordinator that is `one`
 * process, or a `gateway` or an `owner` of a cluster. It tells its parent its address, and of each sum the digest, once masks are gone.
 * Argument: what to be, as JSON.
 */
export interface UploadServer {
  readonly role: 'bare' | 'one' | 'gateway' | 'owner';
  readonly tasks: CoordinatorConfigInput['tasks'];
  /** Of a cluster. */
  readonly redis: string;
  readonly store: string;
}

const { role, tasks, redis, store } = JSON.parse(process.argv[2] ?? '{}') as UploadServer;
const tell = (message: object): void => void process.send?.(message);
process.on('disconnect', () => process.exit(0));

/** Sums as unmasking leaves them. */
const watch = (options: CoordinationOptions): CoordinationOptions => ({
  ...options,
  unmasker: {
    ...{ prepare: () => options.unmasker?.prepare(), close: async () => options.unmasker?.close() },
    async remove(sum, masks) {
      await options.unmasker?.remove(sum, masks);
      const low = sum.map((word) => word & 0xffffff);
      tell({ sum: createHash('sha256').update(new Uint8Array(low.buffer)).digest('hex') });
    },
  },
});

async function openBare(): Promise<string> {
  const http = createServer();
  const server = new Server(http, {
    ...{ path: '/v1/socket', transports: ['websocket'], serveClient: false },
    ...{ perMessageDeflate: false, httpCompression: false },
  });
  const answer = encodeMessage({ type: 'accepted' });
  server.on('connection', (socket) =>
    socket.on('m', (_bytes: unknown, acknowledge: (reply: Uint8Array) => void) => acknowledge(answer)),
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

async function openOne(): Promise<string> {
  const coordinator = await createCoordinator({
    config: { listen: { port: 0 }, tasks },
    ...{ store: memoryStore(), blobs: memoryBlobs(nodeCrypto), unmaskThreads: 1 },
    coordinate: (options) => createCoordination(watch(options)),
  });
  return coordinator.listen();
}

async function open(): Promise<string> {
  if (role === 'bare') return openBare();
  if (role === 'one') return openOne();
  return (await openNode({ redis, store, tasks, roles: [role], watch })).url;
}

tell({ url: await open() });
