import { FederatedError } from '@tutti/base';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ApiError } from './api-route.ts';
import { errorFields, type Log } from './log.ts';

/** When to come again where something that the coordinator stands on is away, in milliseconds. */
const AWAY_RETRY_MS = 10_000;

/** What Fastify refuses by itself. */
const CODES: Readonly<Record<number, string>> = { 413: 'http/too-large', 415: 'http/not-json' };

/** Answers what a route throws. Of what is not the asker's fault nothing is told that could quote anything. */
export function answerErrors(app: FastifyInstance, log: Log): void {
  app.setErrorHandler(async (error, _request, reply) => {
    if (error instanceof ApiError) return refuse(reply, error);
    const status = statusOf(error);
    const isAway = status === 503 && error instanceof FederatedError;
    if (status >= 500) log.write('failed', { part: isAway ? 'environment' : 'http', ...errorFields(error) });
    if (isAway) return refuse(reply, away(error));
    return reply.code(status).send({
      error: {
        code: CODES[status] ?? (status < 500 ? 'http/bad-request' : 'http/internal'),
        message: status < 500 && error instanceof Error ? error.message : 'something went wrong here',
      },
    });
  });
}

function refuse(reply: FastifyReply, { status, code, message, more }: ApiError): FastifyReply {
  const { retryAfterMs } = more;
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(retryAfterMs / 1_000));
  return reply.code(status).send({ error: { code, message, ...more } });
}

function statusOf(error: unknown): number {
  if (error instanceof FederatedError && error.fault === 'environment') return 503;
  const told = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof told === 'number' ? told : 500;
}

/** Its database, its Redis, the process that runs a task: not there at the moment. */
const away = ({ code }: FederatedError): ApiError =>
  new ApiError(503, code, 'something that this coordinator stands on does not answer; its log says what', {
    retryAfterMs: AWAY_RETRY_MS,
  });
