import { createHash, timingSafeEqual } from 'node:crypto';
import { DecodeError, EnvironmentError, FederatedError, toHex, UsageError } from '@tutti/base';
import { encodeProof, MOST_AT_ONCE, type Authority } from '@tutti/identity';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

/** Time for a whole request to arrive in, in milliseconds. */
const REQUEST_MS = 10_000;

/** A request for a token is far smaller. */
const LARGEST_BODY_BYTES = 4_096;

/** Connections at a time: an app's back end, coordinators, auditors. */
const MOST_CONNECTIONS = 1_024;

/** How long open connections may end by themselves when the service closes, in milliseconds. */
const CLOSE_MS = 2_000;

/** Shortest secret that is taken, in characters. */
const SHORTEST_SECRET = 32;

/** An authority's HTTP service. */
export interface AuthorityService {
  /** Starts to listen. @returns the address. @throws {EnvironmentError} if the port is taken. */
  listen(options: { readonly host?: string; readonly port: number }): Promise<string>;
  /** Stops to listen and closes the authority. */
  close(): Promise<void>;
}

/** What the service is made of. */
export interface ServiceOptions {
  /** With a log; the service closes it. */
  readonly authority: Authority;
  /** What the app's back end shows as `Authorization: Bearer …` to have tokens issued. */
  readonly secret: string;
}

/**
 * HTTP around an authority. Tokens are issued to who knows the secret; the log is public.
 *
 * POST /v1/tokens `{ clientId, days? }` → `{ clientId, token, expiresAt, logIndex }` · GET /v1/authority · GET /v1/log/head ·
 * GET /v1/log/entries?from&count · GET /v1/log/inclusion?index&size · GET /v1/log/consistency?from&to · GET /healthz
 *
 * @throws {UsageError} for a secret that could be guessed.
 */
export function authorityService({ authority, secret }: ServiceOptions): AuthorityService {
  if (secret.length < SHORTEST_SECRET)
    throw new UsageError(`a secret of ${secret.length} characters; at least ${SHORTEST_SECRET} are needed`);
  const app = Fastify({ logger: false, requestTimeout: REQUEST_MS, bodyLimit: LARGEST_BODY_BYTES });
  app.server.maxConnections = MOST_CONNECTIONS;
  answerErrors(app);
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/v1/authority', async () => ({ publicKey: toHex(authority.publicKey) }));
  app.post('/v1/tokens', async (request, reply) => {
    if (!isAllowed(request, secret))
      return fail(reply.header('www-authenticate', 'Bearer'), 401, 'unauthorized', 'the secret is needed');
    const { clientId, days } = tokenRequest(request.body);
    const { token, ...rest } = await authority.enrol(clientId, days === undefined ? {} : { days });
    return { ...rest, token: toHex(token) };
  });
  serveLog(app, authority);
  return {
    async listen({ host = '127.0.0.1', port }) {
      try {
        return await app.listen({ host, port });
      } catch (cause) {
        const { code, message } = cause as NodeJS.ErrnoException;
        throw new EnvironmentError(
          code === 'EADDRINUSE'
            ? `Port ${port} is taken. Use another (--port), or stop the process that has it.`
            : `${host}:${port} cannot be listened on: ${code ?? message}`,
          { cause },
        );
      }
    },
    async close() {
      const impatient = setTimeout(() => app.server.closeAllConnections(), CLOSE_MS);
      await app.close();
      clearTimeout(impatient);
      await authority.close();
    },
  };
}

/** The log for everybody: coordinators that relay it, auditors that follow it. */
function serveLog(app: FastifyInstance, authority: Authority): void {
  app.get('/v1/log/head', async () => authority.head());
  app.get('/v1/log/entries', async ({ query }) => ({
    entries: authority.entries(whole(query, 'from'), Math.min(MOST_AT_ONCE, whole(query, 'count'))),
  }));
  app.get('/v1/log/inclusion', async ({ query }) => ({
    proof: toHex(encodeProof(authority.inclusion(whole(query, 'index'), whole(query, 'size')))),
  }));
  app.get('/v1/log/consistency', async ({ query }) => ({
    proof: toHex(encodeProof(authority.consistency(whole(query, 'from'), whole(query, 'to')))),
  }));
}

function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler(async (request, reply) =>
    fail(reply, 404, 'not-found', `there is nothing at ${request.url.slice(0, 200)}`),
  );
  app.setErrorHandler(async (error, _request, reply) => {
    const isTheirs = error instanceof FederatedError && (error.fault === 'caller' || error.fault === 'peer');
    const status = isTheirs
      ? 400
      : error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
        ? error.statusCode
        : 500;
    const told = status < 500 && error instanceof Error ? error.message : 'something went wrong here';
    return fail(reply, status, status < 500 ? 'bad-request' : 'internal', told);
  });
}

const fail = (reply: FastifyReply, status: number, code: string, message: string): FastifyReply =>
  reply.code(status).send({ error: { code: `http/${code}`, message } });

/** Whether a request shows the secret. Both sides are hashed first: the time tells nothing about where they differ. */
function isAllowed({ headers }: FastifyRequest, secret: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(headers.authorization ?? ''), hash(`Bearer ${secret}`));
}

function tokenRequest(body: unknown): { clientId: string; days: number | undefined } {
  if (typeof body !== 'object' || body === null) throw new DecodeError('body', 'is not a JSON object');
  const unknown = Object.keys(body).find((name) => name !== 'clientId' && name !== 'days');
  if (unknown !== undefined)
    throw new DecodeError(unknown.slice(0, 100), 'is not known; clientId and days are');
  const { clientId, days } = body as { clientId?: unknown; days?: unknown };
  if (typeof clientId !== 'string') throw new DecodeError('clientId', 'is not text');
  if (days !== undefined && typeof days !== 'number') throw new DecodeError('days', 'is not a number');
  return { clientId, days };
}

/** A whole number of a query. @throws {DecodeError} naming it. */
function whole(query: unknown, name: string): number {
  const text = (query as Record<string, unknown>)[name];
  if (typeof text !== 'string' || !/^\d{1,10}$/.test(text))
    throw new DecodeError(name, 'a whole number is expected');
  return Number(text);
}
