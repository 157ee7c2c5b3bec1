import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AddressOf } from './address.ts';
import type { Gate, Refused } from './gate.ts';
import type { Limit } from './log.ts';

/** Who may ask how much. */
export interface Admission {
  readonly gate: Gate;
  readonly addressOf: AddressOf;
  /** Hears of what was over a limit. */
  readonly onRefused: (limit: Limit, address: string) => void;
}

/** Refuses what is over an address’s limit before anything else is done for it, with the time to come back. */
export function admitRequests(app: FastifyInstance, admission: Admission): void {
  app.addHook('onRequest', async (request, reply) => {
    const refused = await admission.gate.request(admission.addressOf(request.raw));
    if (refused !== undefined) return refuseRequest(reply, admission, refused, request);
  });
}

/** Answers what is over a limit, and counts it. */
export function refuseRequest(
  reply: FastifyReply,
  { addressOf, onRefused }: Admission,
  { limit, retryAfterMs, problem: message }: Refused,
  request: FastifyRequest,
): FastifyReply {
  onRefused(limit, addressOf(request.raw));
  return reply
    .code(429)
    .header('retry-after', Math.ceil(retryAfterMs / 1_000))
    .send({ error: { code: 'http/too-many-requests', message, retryAfterMs } });
}
