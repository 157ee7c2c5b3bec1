import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Blobs, Coordination } from '@tutti/coordination';
import type { LogMirror } from '@tutti/identity';
import { serveProofs } from './http-log.ts';
import type { Sockets } from './sockets.ts';

/** Time for a whole request to arrive in, in milliseconds. */
const REQUEST_MS = 30_000;

/** Nothing here takes a body. */
const LARGEST_BODY_BYTES = 65_536;

/** Event streams that may be open at a time. */
const MOST_STREAMS = 256;

/** Files of a page by their path. */
export type Pages = ReadonlyMap<
  string,
  { readonly type: string; readonly body: string; readonly headers: Readonly<Record<string, string>> }
>;

/** HTTP for people and bulk: health, what is going on, and immutable blobs by their hash. */
export function openHttp(options: {
  coordination: Coordination;
  blobs: Blobs;
  sockets: Sockets;
  /** Mirrors of authorities' logs, by task. */
  logs: ReadonlyMap<string, LogMirror>;
  /** A dashboard: what its paths are answered with, `/` among them. */
  pages?: Pages;
  logger?: FastifyBaseLogger;
}): FastifyInstance {
  const { coordination, blobs, sockets, logger } = options;
  const bounds = { requestTimeout: REQUEST_MS, bodyLimit: LARGEST_BODY_BYTES };
  const app =
    logger === undefined
      ? Fastify({ ...bounds, logger: false })
      : (Fastify({ ...bounds, loggerInstance: logger }) as unknown as FastifyInstance);
  const streams = new Set<() => void>();

  app.addHook('onSend', async (_request, reply) => {
    reply.header('access-control-allow-origin', '*').header('x-content-type-options', 'nosniff');
  });
  app.setNotFoundHandler(async (request, reply) =>
    reply.code(404).send({
      error: { code: 'http/not-found', message: `there is nothing at ${request.url.slice(0, 200)}` },
    }),
  );
  app.setErrorHandler(async (error, _request, reply) => {
    const status =
      error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
        ? error.statusCode
        : 500;
    return reply.code(status).send({
      error: {
        code: status < 500 ? 'http/bad-request' : 'http/internal',
        message: status < 500 && error instanceof Error ? error.message : 'something went wrong here',
      },
    });
  });

  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/v1/status', async () => ({
    tasks: coordination.taskNames.map((task) => coordination.status(task)),
  }));
  app.get<{ Params: { task: string } }>('/v1/tasks/:task', async (request, reply) => {
    const info = coordination.taskInfo(request.params.task);
    return (
      info ??
      reply
        .code(404)
        .send({ error: { code: 'http/unknown-task', message: 'this coordinator has no such task' } })
    );
  });
  app.get<{ Params: { task: string }; Querystring: { from?: string } }>(
    '/v1/tasks/:task/rounds',
    async (request, reply) => {
      if (coordination.taskInfo(request.params.task) === undefined)
        return reply
          .code(404)
          .send({ error: { code: 'http/unknown-task', message: 'this coordinator has no such task' } });
      const from = Number(request.query.from ?? 1);
      if (!Number.isInteger(from) || from < 1)
        return reply
          .code(400)
          .send({ error: { code: 'http/bad-request', message: 'from: a whole number from 1 is expected' } });
      return { rounds: coordination.rounds(request.params.task).slice(from - 1) };
    },
  );
  serveProofs(app, options.logs);
  app.get<{ Params: { hash: string } }>('/v1/blobs/:hash', async (request, reply) => {
    const { hash } = request.params;
    const bytes = /^[0-9a-f]{64}$/.test(hash) ? await blobs.get(hash) : undefined;
    if (bytes === undefined)
      return reply
        .code(404)
        .send({ error: { code: 'http/unknown-blob', message: 'there is no blob of this hash' } });
    reply
      .header('etag', `"${hash}"`)
      .header('cache-control', 'public, max-age=31536000, immutable')
      .header('accept-ranges', 'bytes')
      .type('application/octet-stream');
    if (request.headers['if-none-match'] === `"${hash}"`) return reply.code(304).send();
    const part = rangeOf(request.headers.range, bytes.length);
    if (part === 'unsatisfiable')
      return reply.code(416).header('content-range', `bytes */${bytes.length}`).send();
    const [start, end] = part ?? [0, bytes.length];
    sockets.countDownload(end - start);
    if (part !== undefined)
      reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${bytes.length}`);
    return reply.send(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start));
  });
  app.get('/v1/events', (request, reply) => {
    if (streams.size >= MOST_STREAMS) {
      void reply
        .code(503)
        .header('retry-after', '60')
        .send({ error: { code: 'http/too-busy', message: `${MOST_STREAMS} event streams are open` } });
      return;
    }
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
    });
    // A first line, so that who listens hears at once that they do.
    reply.raw.write(': listening\n\n');
    const stop = coordination.subscribe((event) => {
      if (event.type !== 'failed' && !reply.raw.writableNeedDrain)
        reply.raw.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    });
    const end = (): void => {
      stop();
      streams.delete(end);
      reply.raw.end();
    };
    streams.add(end);
    request.raw.on('close', end);
  });
  for (const [path, { type, body, headers }] of options.pages ?? [])
    app.get(path, async (_request, reply) =>
      reply.headers(headers).header('cache-control', 'no-cache').type(type).send(body),
    );
  if (options.pages?.has('/') !== true)
    app.get('/', async (_request, reply) =>
      reply.type('text/html; charset=utf-8').send(homePage(coordination)),
    );
  app.addHook('preClose', async () => streams.forEach((end) => end()));
  return app;
}

/** `bytes=a-b`, one range only. */
function rangeOf(header: string | undefined, size: number): [number, number] | 'unsatisfiable' | undefined {
  const match = header === undefined ? null : /^bytes=(\d*)-(\d*)$/.exec(header);
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? size : Math.min(size, Number(match[2]) + 1);
  return start < end ? [start, end] : 'unsatisfiable';
}

function homePage(coordination: Coordination): string {
  const rows = coordination.taskNames.map((name) => {
    const status = coordination.status(name);
    return `<tr><td>${name}</td><td>${status?.round ?? 0}</td><td>${status?.phase ?? ''}</td><td>${status?.connected ?? 0}</td></tr>`;
  });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>Tutti coordinator</title>
<style>body{font:16px/1.5 system-ui;margin:2rem;color-scheme:light dark}td,th{padding:.3rem 1rem;text-align:left}</style>
<h1>Tutti coordinator</h1><table><tr><th>task</th><th>rounds</th><th>phase</th><th>clients</th></tr>${rows.join('')}</table>
<p><a href="/v1/status">status</a></p></html>`;
}
