import { toHex } from '@tutti/base';
import { encodeProof, type LogMirror } from '@tutti/identity';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** Positions that one request can ask to have proved. */
const MOST_POSITIONS = 256;

/**
 * Proofs out of the authorities' logs, for the clients of transparent tasks. Whoever serves them need not be believed: each is
 * checked against a head that the authority signed. Clients ask here and not there, so that an authority does not learn who
 * takes part with whom.
 *
 * @param logs the mirror of each such task's log, by the task's name.
 */
export function serveProofs(app: FastifyInstance, logs: ReadonlyMap<string, LogMirror>): void {
  app.get<{ Params: { task: string }; Querystring: Record<string, unknown> }>(
    '/v1/tasks/:task/log/consistency',
    async ({ params, query }, reply) => {
      const log = logs.get(params.task);
      const [from, to] = [wholeOf(query['from']), wholeOf(query['to'])];
      if (log === undefined) return noLog(reply);
      if (from === undefined || to === undefined || from > to || to > log.size)
        return wrong(reply, `from and to: whole numbers up to ${log.size} are expected, the smaller first`);
      return { proof: toHex(encodeProof(log.consistency(from, to))) };
    },
  );
  app.get<{ Params: { task: string }; Querystring: Record<string, unknown> }>(
    '/v1/tasks/:task/log/inclusion',
    async ({ params, query }, reply) => {
      const log = logs.get(params.task);
      const size = wholeOf(query['size']);
      const positions = wholesOf(query['indexes']);
      if (log === undefined) return noLog(reply);
      if (
        size === undefined ||
        size > log.size ||
        positions === undefined ||
        positions.some((at) => at >= size)
      )
        return wrong(
          reply,
          `size: up to ${log.size}, and indexes: up to ${MOST_POSITIONS} below it, with commas, are expected`,
        );
      return { proofs: positions.map((at) => toHex(encodeProof(log.inclusion(at, size)))) };
    },
  );
}

const wholeOf = (text: unknown): number | undefined =>
  typeof text === 'string' && /^\d{1,10}$/.test(text) ? Number(text) : undefined;

function wholesOf(text: unknown): number[] | undefined {
  if (typeof text !== 'string') return undefined;
  const numbers = text.split(',', MOST_POSITIONS + 1).map(wholeOf);
  return numbers.length > MOST_POSITIONS || numbers.includes(undefined) ? undefined : (numbers as number[]);
}

const noLog = (reply: FastifyReply): FastifyReply =>
  reply
    .code(404)
    .send({ error: { code: 'http/no-log', message: 'there is no such task with a log of identities' } });

const wrong = (reply: FastifyReply, message: string): FastifyReply =>
  reply.code(400).send({ error: { code: 'http/bad-request', message } });
