import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { plainAddress } from './address.ts';
import type { Admission } from './http-admission.ts';

/** What a request is answered with that cannot be read: it never comes to a route, and is refused in the same form all the same. */
interface Unread {
  readonly status: 400 | 408 | 431;
  readonly code: string;
  readonly message: string;
}

const LATE: Unread = {
  ...{ status: 408, code: 'http/request-timeout' },
  message: 'the request did not come whole in time; send it again',
};
const TOO_LARGE: Unread = {
  ...{ status: 431, code: 'http/headers-too-large' },
  message: 'the headers are larger than is read; send fewer, or shorter ones',
};
const BROKEN: Unread = { status: 400, code: 'http/bad-request', message: 'this is no HTTP request' };

const UNREAD: Readonly<Record<string, Unread>> = {
  ERR_HTTP_REQUEST_TIMEOUT: LATE,
  HPE_HEADER_OVERFLOW: TOO_LARGE,
};

/**
 * Answers what cannot be read and ends its connection: of such a request nothing is known but where that comes from.
 * @param answered connections whose request has its answer and does not come to an end: they get no second one.
 */
export function refuseUnread({ onRefused }: Pick<Admission, 'onRefused'>, answered: WeakSet<Socket>) {
  return (error: Error & { readonly code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const unread = UNREAD[error.code ?? ''] ?? BROKEN;
    if (unread === LATE) onRefused('request-deadline', plainAddress(socket.remoteAddress ?? ''));
    // In the middle of an answer another one would be a part of it.
    if (socket.writable && !answered.has(socket) && !isAnswered(socket)) socket.write(answerOf(unread));
    socket.destroySoon();
  };
}

/** Keeps {@link refuseUnread} told of who was answered before a request came to its end: whoever has no token is. */
export function watchAnswered(app: FastifyInstance, answered: WeakSet<Socket>): void {
  app.addHook('onRequest', async ({ raw }) => void answered.delete(raw.socket));
  app.addHook('onResponse', async ({ raw }) => void (raw.complete || answered.add(raw.socket)));
}

/** Whether an answer has begun on a connection and is not over; as Node itself looks at it. */
const isAnswered = (socket: Socket & { readonly _httpMessage?: ServerResponse | null }): boolean =>
  socket._httpMessage?.headersSent === true;

function answerOf({ status, code, message }: Unread): string {
  const body = JSON.stringify({ error: { code, message } });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'access-control-allow-origin: *',
    'x-content-type-options: nosniff',
    'connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
