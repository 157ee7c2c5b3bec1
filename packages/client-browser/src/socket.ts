import { EnvironmentError, wipe } from '@tutti/base';
import type { Connection, Transport } from '@tutti/client';
import { decodeCoordinatorMessage, decodeReply, encodeMessage, type ClientMessage } from '@tutti/protocol';

/**
 * A socket.io connection (Engine.IO 4, Socket.IO 5, https://socket.io/docs/v4/socket-io-protocol) over one WebSocket, as much of it
 * as a coordinator speaks: binary events and their binary answers. The library would be a fifth of everything that a page loads.
 */

/** Path of a coordinator's socket. */
const SOCKET_PATH = '/v1/socket/?EIO=4&transport=websocket';

/** How long a connection may take to open, in milliseconds. */
const CONNECT_TIMEOUT_MS = 15_000;

/** Longest text that a coordinator sends between its binary messages. */
const LONGEST_TEXT = 1_000;

type Handlers = Parameters<Transport['connect']>[0];

/** Messages to a coordinator over a WebSocket. Reconnection is the participation's. */
export function webSocketTransport(coordinator: string): Transport {
  return {
    connect: (handlers, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(new EnvironmentError('stopped while connecting'));
        const session = new Session(coordinator, handlers, {
          opened: () => settle(() => resolve(session)),
          closed: (reason) =>
            settle(() => reject(new EnvironmentError(`no connection to ${coordinator}: ${reason}`))),
        });
        const stop = (): void => session.end('stopped while connecting');
        const timer = setTimeout(
          () => session.end(`it did not answer in ${CONNECT_TIMEOUT_MS} ms`),
          CONNECT_TIMEOUT_MS,
        );
        signal.addEventListener('abort', stop, { once: true });
        const settle = (end: () => void): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', stop);
          end();
        };
      }),
  };
}

interface Waiting {
  resolve(answer: Uint8Array): void;
  reject(error: Error): void;
}

class Session implements Connection {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  /** Where the binary message that comes next belongs: `event`, or the answer to a request. */
  #expects: 'event' | number | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #silenceMs = CONNECT_TIMEOUT_MS;
  #open = false;
  #ended = false;

  constructor(
    coordinator: string,
    private readonly handlers: Handlers,
    private readonly hear: { opened(): void; closed(reason: string): void },
  ) {
    this.#socket = new WebSocket(coordinator.replace(/^http/, 'ws') + SOCKET_PATH);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#take(data);
    this.#socket.onclose = () => this.end('the connection is gone');
  }

  async request(
    message: ClientMessage,
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  ): ReturnType<Connection['request']> {
    signal.throwIfAborted();
    if (this.#ended) throw new EnvironmentError('the connection is gone');
    const bytes = encodeMessage<never>(message as never);
    const id = this.#next++;
    const over = new AbortController();
    try {
      const answer = await new Promise<Uint8Array>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        const give = (problem: string) => (): void => reject(new EnvironmentError(problem));
        signal.addEventListener('abort', give('stopped while waiting for an answer'), {
          once: true,
          signal: over.signal,
        });
        const timer = setTimeout(give(`no answer to ${message.type} in ${timeoutMs} ms`), timeoutMs);
        over.signal.addEventListener('abort', () => clearTimeout(timer));
        this.handlers.onSent?.(message, bytes.length);
        this.#socket.send(`451-${id}["m",{"_placeholder":true,"num":0}]`);
        this.#socket.send(bytes as Uint8Array<ArrayBuffer>);
      });
      return decodeReply(answer);
    } finally {
      over.abort();
      this.#waiting.delete(id);
      wipe(bytes);
    }
  }

  close(): void {
    this.end('closed');
  }

  /** Ends it once; whoever waits hears why. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#silence);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    for (const { reject } of this.#waiting.values())
      reject(new EnvironmentError(`the connection closed: ${reason}`));
    this.#waiting.clear();
    if (this.#open) this.handlers.onClose(reason);
    else this.hear.closed(reason);
  }

  #take(data: unknown): void {
    this.#listen();
    if (data instanceof ArrayBuffer) this.#takeBytes(new Uint8Array(data));
    else if (typeof data === 'string' && data.length <= LONGEST_TEXT) this.#takeText(data);
    else this.end('a message that is none');
  }

  /** A connection on which nothing came for longer than the coordinator's pings are apart is dead, whatever the system says. */
  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.end('nothing came any more'), this.#silenceMs);
  }

  /** Engine.IO's packet type, then Socket.IO's, then what belongs to it. */
  #takeText(text: string): void {
    if (text === '2') return this.#socket.send('3');
    if (text === '6') return;
    if (text.startsWith('0{')) return this.#greeted(text.slice(1));
    if (text.startsWith('40')) return this.#connected();
    const awaited = /^4(?:51-\["m",|61-(\d{1,9})\[)\{"_placeholder":true,"num":0\}\]$/.exec(text);
    if (awaited === null || this.#expects !== undefined) return this.end('it was closed by the coordinator');
    this.#expects = awaited[1] === undefined ? 'event' : Number(awaited[1]);
  }

  #greeted(json: string): void {
    const { pingInterval, pingTimeout } = JSON.parse(json) as Record<string, unknown>;
    const [every, late] = [Number(pingInterval), Number(pingTimeout)];
    if (!(every > 0 && late > 0 && every + late < 600_000)) return this.end('a greeting that is none');
    this.#silenceMs = every + late;
    this.#socket.send('40');
  }

  #connected(): void {
    if (this.#open) return;
    this.#open = true;
    this.hear.opened();
  }

  #takeBytes(bytes: Uint8Array): void {
    const expected = this.#expects;
    this.#expects = undefined;
    if (expected === undefined) return this.end('bytes that nobody announced');
    if (expected !== 'event') return this.#waiting.get(expected)?.resolve(bytes);
    try {
      this.handlers.onMessage(decodeCoordinatorMessage(bytes));
    } catch {
      // Nothing after it can be trusted to be in step.
      this.end('a message that cannot be decoded');
    }
  }
}
