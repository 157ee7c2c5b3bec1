import type { FastifyInstance } from 'fastify';
import type { Log, LogFields } from './log.ts';
import type { Metrics } from './metrics.ts';

/** How a coordinator stands. */
export type Readiness =
  | { readonly status: 'ready' }
  | { readonly status: 'starting' | 'draining' | 'failed'; readonly problem: string };

/** What health is read from. */
export interface Health {
  readiness(): Readiness;
  readonly metrics: Metrics;
  /** Whether /metrics is answered. */
  readonly metricsOpen: boolean;
}

/** When to ask again while a coordinator is not ready, in seconds. */
const RETRY_SECONDS = 5;

/**
 * `/healthz`: the process answers (restart it if not). `/readyz`: rounds can begin here (send nobody new if not). `/metrics`: for
 * Prometheus. Requests are measured and logged by the pattern of their route; no address that was asked for is kept.
 */
export function serveHealth(
  app: FastifyInstance,
  { readiness, metrics, metricsOpen }: Health,
  log: Log,
): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const now = readiness();
    return now.status === 'ready' ? now : reply.code(503).header('retry-after', RETRY_SECONDS).send(now);
  });
  if (metricsOpen)
    app.get('/metrics', async (_request, reply) =>
      reply
        .type(metrics.contentType)
        .header('cache-control', 'no-store')
        .send(await metrics.text()),
    );
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? '/*';
    const { method } = request;
    metrics.request(route, method, reply.statusCode, reply.elapsedTime / 1_000);
    log.write('request', {
      method: method as NonNullable<LogFields<'request'>['method']>,
      route,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime),
    });
  });
}
