import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Blobs, Coordination } from '@tutti/coordination';
import type { LogMirror } from '@tutti/identity';
import { absentTask } from './absent-task.ts';
import { ApiError, type ApiRoute } from './api-route.ts';
import { statusesOf } from './api-tasks.ts';
import { eventStreams, type EventStreams } from './event-streams.ts';
import { admitRequests, type Admission } from './http-admission.ts';
import { serveApi } from './http-api.ts';
import { serveBlobs } from './http-blobs.ts';
import { answerErrors } from './http-errors.ts';
import { serveEvents } from './http-events.ts';
import { serveHealth, type Health } from './http-health.ts';
import { serveProofs } from './http-log.ts';
import { refuseUnread, watchAnswered } from './http-unread.ts';
import type { Log } from './log.ts';
import type { Sockets } from './sockets.ts';
import type { Tokens } from './tokens.ts';
import { tlsOptions, type Certificate } from './tls.ts';

/** How long requests, and what they are answered from, may take to come, in milliseconds. */
export interface Patience {
  /** A whole request; default 30000. */
  readonly requestMs: number;
  /** Its headers; default 10000. */
  readonly headersMs: number;
  /** Between two looks at what is open; default 2000. */
  readonly lookEveryMs: number;
  /** The storage, before its asker is told that it is away; default 5000. */
  readonly answerMs: number;
}

const PATIENCE: Patience = { requestMs: 30_000, headersMs: 10_000, lookEveryMs: 2_000, answerMs: 5_000 };

/** Few routes take a body, and theirs is another limit. */
const LARGEST_BODY_BYTES = 65_536;

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
  health: Health;
  admission: Admission;
  /** What is served under /api/v1, and who may. */
  api: {
    readonly routes: (streams: EventStreams) => readonly ApiRoute[];
    readonly tokens: Tokens;
    /** Resolves once the storage answers. */
    readonly reach: () => Promise<unknown>;
  };
  log: Log;
  patience?: Partial<Patience>;
  /** HTTPS with it, HTTP without one. */
  certificate?: Certificate;
}): FastifyInstance {
  const { coordination, blobs, sockets, certificate, log, admission, api } = options;
  const { requestMs, headersMs, lookEveryMs, answerMs } = { ...PATIENCE, ...options.patience };
  const patience = { headersTimeout: headersMs, connectionsCheckingInterval: lookEveryMs };
  const answered = new WeakSet<Socket>();
  const bounds = {
    ...{ requestTimeout: requestMs, bodyLimit: LARGEST_BODY_BYTES, logger: false as const },
    ...{ frameworkErrors: badAddress, clientErrorHandler: refuseUnread(admission, answered) },
  };
  const app =
    certificate === undefined
      ? Fastify({ ...bounds, http: patience })
      : (Fastify({
          ...bounds,
          https: { ...patience, ...tlsOptions(certificate) },
        }) as unknown as FastifyInstance);

  app.addHook('onSend', async (_request, reply) => {
    reply.header('access-control-allow-origin', '*').header('x-content-type-options', 'nosniff');
  });
  app.setNotFoundHandler(async (request, reply) =>
    reply.code(404).send({
      error: { code: 'http/not-found', message: `there is nothing at ${request.url.slice(0, 200)}` },
    }),
  );
  answerErrors(app, log);
  watchAnswered(app, answered);
  // Only JSON is read, and only as it is: what unpacks to more than it weighs does not come in.
  app.removeContentTypeParser('text/plain');
  app.addHook('preParsing', async ({ headers }) => {
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity')
      throw new ApiError(415, 'http/content-encoding', 'bodies are read as they are: send it unpacked');
  });
  admitRequests(app, admission);
  serveHealth(app, options.health, log);
  app.get('/v1/status', async () => ({ tasks: statusesOf(coordination) }));
  app.get<{ Params: { task: string } }>('/v1/tasks/:task', async (request) => {
    const { task } = request.params;
    const info = coordination.taskInfo(task);
    if (info === undefined) throw absentTask(coordination, task);
    return info;
  });
  app.get<{ Params: { task: string }; Querystring: { from?: string } }>(
    '/v1/tasks/:task/rounds',
    async (request, reply) => {
      const { task } = request.params;
      if (coordination.taskInfo(task) === undefined) throw absentTask(coordination, task);
      const from = Number(request.query.from ?? 1);
      if (!Number.isInteger(from) || from < 1)
        return reply
          .code(400)
          .send({ error: { code: 'http/bad-request', message: 'from: a whole number from 1 is expected' } });
      return { rounds: coordination.rounds(task).slice(from - 1) };
    },
  );
  serveProofs(app, options.logs);
  serveBlobs(app, blobs, (bytes) => sockets.countDownload(bytes));
  const streams = eventStreams(app, ({ raw }) =>
    admission.onRefused('event-streams', admission.addressOf(raw)),
  );
  serveEvents(app, streams, coordination);
  serveApi(app, { ...api, routes: api.routes(streams), admission, answerMs });
  for (const [path, { type, body, headers }] of options.pages ?? [])
    app.get(path, async (_request, reply) =>
      reply.headers(headers).header('cache-control', 'no-cache').type(type).send(body),
    );
  if (options.pages?.has('/') !== true)
    app.get('/', async (_request, reply) =>
      reply.type('text/html; charset=utf-8').send(homePage(coordination)),
    );
  return app;
}

/** A path that cannot be decoded. */
function badAddress(_error: unknown, _request: unknown, reply: FastifyReply): void {
  void reply.code(400).send({ error: { code: 'http/bad-request', message: 'the address cannot be read' } });
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
