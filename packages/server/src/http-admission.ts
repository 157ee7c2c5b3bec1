import type { FastifyInstance } from 'fastify';
import type { AddressOf } from './address.ts';
import type { Gate } from './gate.ts';

/** Who may ask how much. */
export interface Admission {
  readonly gate: Gate;
  readonly addressOf: AddressOf;
  /** Hears of what was over a limit. */
  readonly onRefused: (limit: 'requests', address: string) => void;
}

/** Refuses what is over an address’s limit before anything else is done for it, with the time to come back. */
export function admitRequests(app: FastifyInstance, { gate, addressOf, onRefused }: Admission): void {
  app.addHook('onRequest', async (request, reply) => {
    const address = addressOf(request.raw);
    const refused = await gate.request(address);
    if (refused === undefined) return;
    onRefused('requests', address);
    const { retryAfterMs, problem: message } = refused;
    return reply
      .code(429)
      .header('retry-after', Math.ceil(retryAfterMs / 1_000))
      .send({ error: { code: 'http/too-many-requests', message, retryAfterMs } });
  });
}
