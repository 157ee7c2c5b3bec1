import { connect, createServer, type Socket } from 'node:net';

/** A piece of a TCP stream, and when it passed. */
export interface RecordedChunk {
  readonly bytes: Uint8Array;
  /** `performance.now()`, in milliseconds. */
  readonly atMs: number;
}

/** One TCP connection, both ways. */
export interface RecordedConnection {
  readonly up: RecordedChunk[];
  readonly down: RecordedChunk[];
}

/** A TCP proxy that keeps every byte that passes: what somebody on the network sees, without TLS even. */
export interface RecordingProxy {
  readonly url: string;
  readonly connections: readonly RecordedConnection[];
  close(): Promise<void>;
}

/** Listens on a free port and forwards to `target`, an http address. */
export async function openRecordingProxy(target: string): Promise<RecordingProxy> {
  const { hostname, port } = new URL(target);
  const connections: RecordedConnection[] = [];
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const recorded: RecordedConnection = { up: [], down: [] };
    connections.push(recorded);
    const upstream = connect({ port: Number(port), host: hostname, noDelay: true });
    client.setNoDelay(true);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    record(client, recorded.up);
    record(upstream, recorded.down);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    connections,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function record(socket: Socket, into: RecordedChunk[]): void {
  socket.on('data', (chunk) => {
    into.push({ bytes: Uint8Array.from(chunk as Uint8Array), atMs: performance.now() });
  });
}

/** A websocket message: its payload, and when its last byte passed. */
export interface WebsocketMessage {
  readonly payload: Uint8Array;
  readonly atMs: number;
}

/** The websocket messages of one direction of a connection (RFC 6455), unmasked; none where it is no websocket. */
export function websocketMessages(chunks: readonly RecordedChunk[]): WebsocketMessage[] {
  const bytes = Buffer.concat(chunks.map((chunk) => chunk.bytes));
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0 || !/upgrade: websocket/i.test(bytes.subarray(0, end).toString('latin1'))) return [];
  const messages: WebsocketMessage[] = [];
  let parts: Uint8Array[] = [];
  for (let at = end + 4; at + 2 <= bytes.length;) {
    const frame = frameAt(bytes, at);
    if (frame === undefined) break;
    at = frame.end;
    if (frame.isControl) continue;
    parts.push(frame.body);
    if (!frame.isLast) continue;
    messages.push({ payload: Uint8Array.from(Buffer.concat(parts)), atMs: timeOf(chunks, frame.end) });
    parts = [];
  }
  return messages;
}

interface Frame {
  readonly end: number;
  readonly isControl: boolean;
  readonly isLast: boolean;
  readonly body: Uint8Array;
}

function frameAt(bytes: Buffer, at: number): Frame | undefined {
  const [first, second] = [bytes[at] as number, bytes[at + 1] as number];
  let length = second & 127;
  let head = 2;
  if (length >= 126) {
    const wide = length === 127;
    head = wide ? 10 : 4;
    if (at + head > bytes.length) return undefined;
    length = wide ? Number(bytes.readBigUInt64BE(at + 2)) : bytes.readUInt16BE(at + 2);
  }
  const masked = second >= 128;
  const start = at + head + (masked ? 4 : 0);
  if (start + length > bytes.length) return undefined;
  const mask = bytes.subarray(at + head, start);
  const body = bytes
    .subarray(start, start + length)
    .map((byte, i) => (masked ? byte ^ (mask[i & 3] as number) : byte));
  return { end: start + length, isControl: (first & 8) !== 0, isLast: (first & 128) !== 0, body };
}

/** When the byte before `end` passed. */
function timeOf(chunks: readonly RecordedChunk[], end: number): number {
  let at = 0;
  for (const { bytes, atMs } of chunks) {
    at += bytes.length;
    if (at >= end) return atMs;
  }
  return Number.NaN;
}
