import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Event streams that may be open at a time. */
const MOST_STREAMS = 256;

/** How often a quiet stream says that it is there, so that no proxy ends it, in milliseconds. */
const SIGN_OF_LIFE_MS = 20_000;

/** A stream of events to one reader. */
export interface EventStream {
  /** Whether the reader has not taken yet what was written. */
  readonly isBehind: boolean;
  write(event: { readonly type: string; readonly data: unknown; readonly id?: number }): void;
  end(): void;
}

/** The streams of a coordinator. */
export interface EventStreams {
  /** Answers a request with a stream. @param begin is given it, and returns what ends its source. */
  open(request: FastifyRequest, reply: FastifyReply, begin: (stream: EventStream) => () => void): void;
}

/** @param onFull hears of requests that found no place. */
export function eventStreams(app: FastifyInstance, onFull: (request: FastifyRequest) => void): EventStreams {
  const open = new Map<FastifyReply, () => void>();
  const pulse = setInterval(() => {
    for (const { raw } of open.keys()) if (!raw.writableNeedDrain) raw.write(':\n\n');
  }, SIGN_OF_LIFE_MS).unref();
  app.addHook('preClose', async () => {
    clearInterval(pulse);
    for (const end of [...open.values()]) end();
  });
  return {
    open(request, reply, begin) {
      if (open.size >= MOST_STREAMS) {
        onFull(request);
        void reply
          .code(503)
          .header('retry-after', '60')
          .send({
            error: {
              code: 'http/too-busy',
              message: `${MOST_STREAMS} event streams are open`,
              retryAfterMs: 60_000,
            },
          });
        return;
      }
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'access-control-allow-origin': '*',
      });
      // A first line, so that who listens hears at once that they do.
      raw.write(': listening\n\n');
      let stop = (): void => undefined;
      const end = (): void => {
        if (!open.delete(reply)) return;
        stop();
        raw.end();
      };
      open.set(reply, end);
      request.raw.on('close', end);
      stop = begin({
        get isBehind() {
          return raw.writableNeedDrain;
        },
        write({ type, data, id }) {
          const head = id === undefined ? '' : `id: ${id}\n`;
          raw.write(`${head}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
        },
        end,
      });
      if (!open.has(reply)) stop();
    },
  };
}
