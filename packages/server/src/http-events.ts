import type { Coordination } from '@tutti/coordination';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { EventStreams } from './event-streams.ts';

/** What happens, as it happens, for pages and scripts. */
export function serveEvents(app: FastifyInstance, streams: EventStreams, coordination: Coordination): void {
  app.get('/v1/events', { exposeHeadRoute: false }, (request, reply) =>
    streamEvents({ request, reply }, streams, coordination),
  );
}

/** Streams what tasks do. @param task what this one does, where it is given. */
export function streamEvents(
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  streams: EventStreams,
  coordination: Coordination,
  task?: string,
): void {
  streams.open(request, reply, (stream) =>
    coordination.subscribe((event) => {
      if (event.type === 'failed' || (task !== undefined && event.task !== task)) return;
      // Who reads too slowly misses some; the status tells how things stand.
      if (!stream.isBehind) stream.write({ type: event.type, data: event });
    }),
  );
}
