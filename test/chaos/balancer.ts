import { connect, createServer, type Socket } from 'node:net';

/** A plain load balancer: connections go to one address after another, past those that do not answer. */
export interface Balancer {
  readonly url: string;
  close(): Promise<void>;
}

export async function openBalancer(urls: readonly string[]): Promise<Balancer> {
  const ports = urls.map((url) => Number(new URL(url).port));
  const open = new Set<Socket>();
  let next = 0;
  function join(near: Socket, tries: number): void {
    const far = connect(ports[next++ % ports.length] as number, '127.0.0.1');
    far.once('connect', () => {
      near.pipe(far);
      far.pipe(near);
    });
    far.on('error', () => {
      if (far.connecting || far.bytesWritten === 0) {
        if (tries > 1 && !near.destroyed) return join(near, tries - 1);
      }
      near.destroy();
    });
    far.on('close', (isFailed) => void (isFailed || near.destroy()));
    near.on('close', () => far.destroy());
  }
  const server = createServer((near) => {
    open.add(near);
    near.on('error', () => undefined);
    near.on('close', () => open.delete(near));
    join(near, ports.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      open.forEach((socket) => socket.destroy());
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
