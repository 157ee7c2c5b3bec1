import { connect, createServer, type Socket } from 'node:net';

/** Everything that goes to a server, and comes from it. */
export interface Recorder {
  readonly url: string;
  /** All bytes so far. */
  bytes(): Buffer;
  /** Ends every connection through it, as a network does that is cut. */
  cut(): void;
  close(): Promise<void>;
}

/** A way to a Redis server that keeps what passes. */
export async function recordRedis(url: string): Promise<Recorder> {
  const { hostname, port } = new URL(url);
  const passed: Buffer[] = [];
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('data', (bytes) => {
        passed.push(Buffer.from(bytes));
        to.write(bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const cut = (): void => open.forEach((socket) => socket.destroy());
  return {
    url: `redis://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    bytes: () => Buffer.concat(passed),
    cut,
    close() {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
