import { EnvironmentError, wipe } from '@tutti/base';
import type { Connection, Transport } from '@tutti/client';
import {
  decodeCoordinatorMessage,
  decodeReply,
  encodeMessage,
  type CoordinatorMessage,
} from '@tutti/protocol';
import { io, type Socket } from 'socket.io-client';

/** Path of a coordinator's socket. */
const SOCKET_PATH = '/v1/socket';

/** How long a connection may take to open, in milliseconds. */
const CONNECT_TIMEOUT_MS = 15_000;

/** Messages over socket.io: websocket only, one binary argument, binary answers. Reconnection is the participation's. */
export function socketTransport(coordinator: string): Transport {
  return {
    async connect(handlers, signal) {
      signal.throwIfAborted();
      const { origin, pathname } = new URL(coordinator);
      // A path in socket.io's address would be a namespace: behind a path of a larger site it belongs before the socket's.
      const socket = io(origin, {
        path: `${pathname.replace(/\/+$/, '')}${SOCKET_PATH}`,
        transports: ['websocket'],
        reconnection: false,
        forceNew: true,
        autoConnect: false,
      });
      socket.on('m', (bytes: unknown) => deliver(socket, bytes, handlers.onMessage));
      socket.on('disconnect', (reason) => handlers.onClose(reason));
      await opened(socket, coordinator, signal);
      return connectionOf(socket, handlers.onSent);
    },
  };
}

/** A message that cannot be decoded ends the connection: nothing after it can be trusted to be in step. */
function deliver(socket: Socket, bytes: unknown, onMessage: (message: CoordinatorMessage) => void): void {
  try {
    onMessage(decodeCoordinatorMessage(bytes));
  } catch {
    socket.disconnect();
  }
}

function opened(socket: Socket, coordinator: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (problem: string, cause?: unknown): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.disconnect();
      reject(new EnvironmentError(problem, { cause }));
    };
    const onAbort = (): void => fail('stopped while connecting');
    const timer = setTimeout(
      () => fail(`${coordinator} did not answer in ${CONNECT_TIMEOUT_MS} ms`),
      CONNECT_TIMEOUT_MS,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect_error', (cause) => fail(`no connection to ${coordinator}: ${cause.message}`, cause));
    socket.once('connect', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    socket.connect();
  });
}

type OnSent = Parameters<Transport['connect']>[0]['onSent'];

function connectionOf(socket: Socket, onSent: OnSent): Connection {
  return {
    async request(message, { timeoutMs, signal }) {
      signal.throwIfAborted();
      if (!socket.connected) throw new EnvironmentError('the connection is gone');
      const bytes = encodeMessage<never>(message as never);
      const over = new AbortController();
      try {
        const answer = await new Promise<unknown>((resolve, reject) => {
          const onAbort = (): void => reject(new EnvironmentError('stopped while waiting for an answer'));
          const onClose = (reason: string): void =>
            reject(new EnvironmentError(`the connection closed: ${reason}`));
          signal.addEventListener('abort', onAbort, { once: true, signal: over.signal });
          socket.once('disconnect', onClose);
          over.signal.addEventListener('abort', () => socket.off('disconnect', onClose));
          onSent?.(message, bytes.length);
          socket.timeout(timeoutMs).emit('m', bytes, (error: Error | null, reply: unknown) => {
            if (error === null) resolve(reply);
            else
              reject(
                new EnvironmentError(`no answer to ${message.type} in ${timeoutMs} ms`, { cause: error }),
              );
          });
        });
        return decodeReply(answer);
      } finally {
        over.abort();
        // It was sent, or never will be: without an answer the connection ends.
        wipe(bytes);
      }
    },
    close: () => void socket.disconnect(),
  };
}
