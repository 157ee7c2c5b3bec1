import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that keeps every byte that a client sends through it. */
export interface RecordingProxy {
  readonly url: string;
  /** Bytes that left the client, one array a connection. */
  readonly sent: Uint8Array[][];
  close(): Promise<void>;
}

/** Listens on a free port and forwards to `target`. */
export async function openRecordingProxy(target: string): Promise<RecordingProxy> {
  const { hostname, port } = new URL(target);
  const sent: Uint8Array[][] = [];
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const chunks: Uint8Array[] = [];
    sent.push(chunks);
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => chunks.push(Uint8Array.from(chunk)));
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    sent,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The websocket payloads that a client sent on one connection (RFC 6455), unmasked; HTTP requests are left out. */
export function websocketPayloads(chunks: readonly Uint8Array[]): Uint8Array[] {
  const bytes = Buffer.concat(chunks);
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0 || !/upgrade: websocket/i.test(bytes.subarray(0, end).toString('latin1'))) return [];
  const payloads: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (let at = end + 4; at + 2 <= bytes.length;) {
    const [first, second] = [bytes[at] as number, bytes[at + 1] as number];
    let length = second & 127;
    let head = 2;
    if (length === 126) [length, head] = [bytes.readUInt16BE(at + 2), 4];
    else if (length === 127) [length, head] = [Number(bytes.readBigUInt64BE(at + 2)), 10];
    const mask = bytes.subarray(at + head, at + head + 4);
    const body = bytes
      .subarray(at + head + 4, at + head + 4 + length)
      .map((byte, i) => byte ^ (mask[i & 3] as number));
    if ((first & 15) < 8) parts.push(Uint8Array.from(body));
    if ((first & 128) !== 0 && (first & 15) < 8) {
      payloads.push(Uint8Array.from(Buffer.concat(parts)));
      parts = [];
    }
    at += head + 4 + length;
  }
  return payloads;
}
