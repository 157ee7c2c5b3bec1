import type { Server as HttpServer } from 'node:http';
import { DecodeError, wipe, type SecureRandom } from '@tutti/base';
import type { Coordination, Outbox, Traffic } from '@tutti/coordination';
import {
  encodeMessage,
  helloDigest,
  MAX_MESSAGE_BYTES,
  PROTOCOL_VERSION,
  viewClientMessage,
  type ClientMessage,
  type CoordinatorMessage,
  type Reply,
} from '@tutti/protocol';
import { clientIdOf, type ClientId, type CryptoSuite } from '@tutti/secure-aggregation';
import { Server, type Socket } from 'socket.io';
import { isUnowned } from './absent-task.ts';
import type { AddressOf } from './address.ts';
import type { Gate } from './gate.ts';
import type { Limit } from './log.ts';

/** Path of the socket, beside the version of the HTTP interface. */
export const SOCKET_PATH = '/v1/socket';

/** Bounds that keep one client from costing the others. */
export interface SocketLimits {
  /** Connections at a time; default 20000. */
  readonly connections: number;
  /** Messages of one connection that may be in work at a time; default 8. */
  readonly inFlight: number;
  /** Bytes of all messages that may be in work at a time; default 256 MiB. */
  readonly bytesInFlight: number;
  /** Time to greet in, in milliseconds; default 10000. */
  readonly helloMs: number;
  /** Malformed messages after which a connection is closed; default 10. */
  readonly strikes: number;
}

export const DEFAULT_LIMITS: SocketLimits = {
  connections: 20_000,
  inFlight: 8,
  bytesInFlight: 2 ** 28,
  helloMs: 10_000,
  strikes: 10,
};

/** Room beside the largest message for the transport's own frame. */
const FRAME_ROOM_BYTES = 4_096;

/** When somebody is to come back while as many are connected as may be, in milliseconds. */
const FULL_RETRY_MS = 30_000;

const comeBack = (message: string, retryAfterMs: number): Error =>
  Object.assign(new Error(message), { data: { retryAfterMs } });

/** How long a peer whose socket was closed may keep the connection below it, in milliseconds; websockets give it thirty seconds. */
const GOODBYE_MS = 2_000;

const TIMER_SLACK_MS = 20;

/** Ends the connection below a socket that was closed, whether or not the peer says good-bye. */
function endInTime(conn: Socket['conn']): void {
  const { socket } = conn.request;
  conn.once('close', () => {
    if (!socket.destroyed) setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
  });
}

/** The sockets of a coordinator. */
export interface Sockets {
  readonly outbox: Outbox;
  readonly traffic: () => Traffic;
  /** Connections that are open. */
  readonly connections: () => number;
  /** Bytes over HTTP count too. */
  countDownload(bytes: number): void;
  attach(server: HttpServer, coordination: Coordination): void;
  close(): Promise<void>;
}

/** Opens the sockets' side: decode, greet, hand over, answer. It decides nothing that coordination should decide. */
export function openSockets(options: {
  crypto: CryptoSuite;
  random: SecureRandom;
  limits?: Partial<SocketLimits>;
  gate: Gate;
  addressOf: AddressOf;
  /** Hears of what was over a limit. */
  onRefused?: (limit: Limit, address: string) => void;
}): Sockets {
  const { crypto, random, gate, addressOf, onRefused } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const sockets = new Map<ClientId, Socket>();
  const traffic = { upBytes: 0, downBytes: 0 };
  const greeted = new WeakSet<Socket['conn']>();
  let bytesInFlight = 0;
  let io: Server | undefined;

  const outbox: Outbox = {
    send(client, message: CoordinatorMessage) {
      const socket = sockets.get(client);
      if (socket === undefined) return;
      const bytes = encodeMessage<never>(message as never);
      traffic.downBytes += bytes.length;
      socket.emit('m', bytes);
    },
  };

  function attach(server: HttpServer, coordination: Coordination): void {
    io = new Server(server, {
      path: SOCKET_PATH,
      transports: ['websocket'],
      perMessageDeflate: false,
      httpCompression: false,
      serveClient: false,
      maxHttpBufferSize: MAX_MESSAGE_BYTES + FRAME_ROOM_BYTES,
      cors: { origin: '*' },
      connectTimeout: limits.helloMs,
    });
    io.engine.on('connection', (conn: Socket['conn']) => {
      endInTime(conn);
      countSilent(conn);
    });
    io.use((socket, next) => {
      admit(socket).then(next, next);
    });
    io.on('connection', (socket) => connection(socket, coordination));
  }

  /** Counts a connection that was closed because nobody greeted on it in time. */
  function countSilent(conn: Socket['conn']): void {
    const beganMs = performance.now();
    conn.once('close', () => {
      // Timers may fire a moment early.
      const isLate = performance.now() - beganMs >= limits.helloMs - TIMER_SLACK_MS;
      if (isLate && !greeted.has(conn)) onRefused?.('greeting-deadline', addressOf(conn.request));
    });
  }

  /** Lets a socket in, or says why not and when to come back: `data.retryAfterMs` of the error that the client sees. */
  async function admit(socket: Socket): Promise<Error | undefined> {
    const address = addressOf(socket.request);
    if ((io?.engine.clientsCount ?? 0) > limits.connections) {
      onRefused?.('connections', address);
      return comeBack(`too-busy: ${limits.connections} clients are connected`, FULL_RETRY_MS);
    }
    const refused = await gate.enter(address);
    if (refused !== undefined) {
      onRefused?.(refused.limit, address);
      return comeBack(`too-busy: ${refused.problem}`, refused.retryAfterMs);
    }
    // Of the connection below: it also ends where the socket was never opened on it.
    socket.conn.once('close', () => gate.leave(address));
    if (socket.conn.readyState !== 'open') gate.leave(address);
    return undefined;
  }

  function connection(socket: Socket, coordination: Coordination): void {
    const nonce = random.bytes(32);
    let client: ClientId | undefined;
    let inFlight = 0;
    let strikes = 0;
    const tooLate = setTimeout(() => socket.disconnect(true), limits.helloMs);
    socket.emit(
      'm',
      encodeMessage({
        type: 'challenge',
        protocols: [PROTOCOL_VERSION],
        nonce,
        coordinatorKey: coordination.publicKey,
      }),
    );

    socket.on('m', (input: unknown, acknowledge: unknown) => {
      const reply = (answer: Reply): void => {
        const bytes = encodeMessage<never>(answer as never);
        traffic.downBytes += bytes.length;
        if (typeof acknowledge === 'function') (acknowledge as (bytes: Uint8Array) => void)(bytes);
        if (strikes >= limits.strikes) socket.disconnect(true);
      };
      if (inFlight >= limits.inFlight) {
        strikes++;
        reply({
          type: 'refused',
          reason: 'too-busy',
          field: 'message',
          problem: `${limits.inFlight} messages of this connection are in work`,
        });
        return;
      }
      const size = input instanceof Uint8Array ? input.length : 0;
      if (bytesInFlight + size > limits.bytesInFlight) {
        reply({
          type: 'refused',
          reason: 'too-busy',
          field: 'message',
          problem: `${bytesInFlight} bytes of messages are in work`,
        });
        return;
      }
      inFlight++;
      bytesInFlight += size;
      void answer(input)
        .catch((): Reply => ({
          type: 'refused',
          reason: 'too-busy',
          field: 'message',
          problem: 'the coordinator could not take it; try again',
        }))
        .then((result) => {
          inFlight--;
          bytesInFlight -= size;
          reply(result);
        });
    });

    /** Answers a message, and wipes it. */
    async function answer(input: unknown): Promise<Reply> {
      let message: ClientMessage | undefined;
      let isOurs = true;
      try {
        message = viewClientMessage(input);
        traffic.upBytes += (input as Uint8Array).length;
        if (message.type === 'hello') return greet(message);
        if (client === undefined)
          return { type: 'refused', reason: 'not-greeted', field: 'type', problem: 'say hello first' };
        const busy = await tooMany(client);
        if (busy !== undefined) return busy;
        // A frame of an input stays where it came, and is coordination's from here on.
        isOurs = message.type !== 'masked-input';
        return halfOpen(await coordination.handle(client, message));
      } catch (error) {
        if (!(error instanceof DecodeError) || message !== undefined) throw error;
        return malformed(error);
      } finally {
        // Coordination took from these what it needs, and keeps none.
        if (message?.type === 'unmask') wipe(message.shares);
        if (isOurs && input instanceof Uint8Array) wipe(input);
      }
    }

    function malformed({ field, problem }: DecodeError): Reply {
      strikes++;
      return {
        type: 'refused',
        reason: 'malformed',
        field: field.slice(0, 200),
        problem: problem.slice(0, 500),
      };
    }

    async function tooMany(identity: ClientId): Promise<Reply | undefined> {
      const refused = await gate.message(identity);
      if (refused === undefined) return undefined;
      onRefused?.(refused.limit, addressOf(socket.request));
      const { problem, retryAfterMs } = refused;
      return { type: 'refused', reason: 'too-busy', field: 'message', problem, retryAfterMs };
    }

    /** Counts an upload that found no place. */
    function halfOpen(reply: Reply): Reply {
      if (reply.type === 'refused' && reply.reason === 'too-busy' && reply.field === 'index')
        onRefused?.('half-open-uploads', addressOf(socket.request));
      return reply;
    }

    function greet(message: Extract<ClientMessage, { type: 'hello' }>): Reply {
      const refuse = (
        reason: Extract<Reply, { type: 'refused' }>['reason'],
        field: string,
        problem: string,
      ): Reply => {
        strikes++;
        return { type: 'refused', reason, field, problem };
      };
      if (client !== undefined) return refuse('wrong-phase', 'type', 'this connection has greeted');
      if (message.protocol !== PROTOCOL_VERSION)
        return refuse(
          'malformed',
          'protocol',
          `is ${message.protocol}; this coordinator speaks ${PROTOCOL_VERSION}`,
        );
      if (isUnowned(coordination, message.task))
        return refuse('too-busy', 'task', 'no process runs this task at the moment; come again');
      if (coordination.taskInfo(message.task) === undefined)
        return refuse('unknown-task', 'task', 'this coordinator has no such task');
      if (
        !crypto.verify(
          helloDigest(nonce, message.task, coordination.publicKey, crypto),
          message.signature,
          message.identityKey,
        )
      ) {
        return refuse(
          'bad-signature',
          'signature',
          'is not that of the identity key over this connection’s nonce',
        );
      }
      clearTimeout(tooLate);
      greeted.add(socket.conn);
      client = clientIdOf(message.identityKey, crypto);
      const before = sockets.get(client);
      sockets.set(client, socket);
      before?.disconnect(true);
      coordination.connected(message.task, client);
      return { type: 'welcome', protocol: PROTOCOL_VERSION };
    }

    socket.on('disconnect', () => {
      clearTimeout(tooLate);
      // The newer connection of the same client goes on; only the last one's end is the client's.
      if (client === undefined || sockets.get(client) !== socket) return;
      sockets.delete(client);
      coordination.disconnected(client);
    });
  }

  return {
    outbox,
    traffic: () => ({ ...traffic }),
    connections: () => io?.engine.clientsCount ?? 0,
    countDownload: (bytes) => void (traffic.downBytes += bytes),
    attach,
    async close() {
      await io?.close();
    },
  };
}
