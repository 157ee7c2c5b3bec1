import type { Coordination } from '@tutti/coordination';
import type { FastifyInstance } from 'fastify';

/** Event streams that may be open at a time. */
const MOST_STREAMS = 256;

/** What happens, as it happens, for pages and scripts. */
export function serveEvents(app: FastifyInstance, coordination: Coordination): void {
  const streams = new Set<() => void>();
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
  app.addHook('preClose', async () => streams.forEach((end) => end()));
}
