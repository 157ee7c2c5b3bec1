import { connect, createServer, type Socket } from 'node:net';

/** A way to a server that can lead to another one: what a virtual address is to clients. */
export interface Way {
  readonly port: number;
  /**
   * Leads to the server behind another socket from now on. Connections that are open end (`reset`), as where a host gives its address up,
   * or stay open without a word for ever (`silent`), as where it vanished.
   */
  leadTo(target: string | undefined, how: 'reset' | 'silent'): void;
  /** Lets nothing through from now on. */
  hold(): void;
  close(): Promise<void>;
}

/** Opens a way to the server behind a socket of this machine. */
export async function openWay(target: string): Promise<Way> {
  let to: string | undefined = target;
  const pairs = new Set<{ near: Socket; far: Socket | undefined; isSilent: boolean }>();
  const server = createServer((near) => {
    const far = to === undefined ? undefined : connect(to);
    const pair = { near, far, isSilent: false };
    pairs.add(pair);
    near.on('error', () => undefined);
    near.on('close', () => {
      pairs.delete(pair);
      far?.destroy();
    });
    near.on('data', (chunk) => far?.write(chunk));
    if (far === undefined) return void near.destroy();
    far.on('error', () => undefined);
    far.on('data', (chunk) => void (pair.isSilent || near.write(chunk)));
    far.on('close', () => void (pair.isSilent || near.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    leadTo(next, how) {
      to = next;
      for (const pair of pairs) {
        pair.isSilent = how === 'silent';
        if (how === 'reset') pair.near.destroy();
        else pair.far?.destroy();
      }
    },
    hold() {
      for (const { far, near } of pairs) {
        far?.pause();
        near.pause();
      }
    },
    close() {
      for (const { near } of pairs) near.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
