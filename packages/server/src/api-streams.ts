import type { Coordination } from '@tutti/coordination';
import { absentTask } from './absent-task.ts';
import { streamRoute, type ApiRoute } from './api-route.ts';
import { eventsQuery, logsQuery } from './api-schemas.ts';
import type { EventStreams } from './event-streams.ts';
import { streamEvents } from './http-events.ts';
import type { LogFeed } from './log-feed.ts';

/** The routes that answer with what happens. */
export function streamRoutes(
  coordination: Coordination,
  streams: EventStreams,
  feed: LogFeed,
): readonly ApiRoute[] {
  return [
    streamRoute({
      ...{
        method: 'get',
        path: '/events',
        operation: 'followEvents',
        summary: 'what tasks do, as it happens',
      },
      ...{ query: eventsQuery, problems: [404] as const },
      description:
        'events named progress, committed, aborted, evaluated, finished, run-changed and task-opened',
      handle({ query: { task } }, request, reply) {
        if (task !== undefined && coordination.taskInfo(task) === undefined)
          throw absentTask(coordination, task);
        streamEvents({ request, reply }, streams, coordination, task);
      },
    }),
    streamRoute({
      ...{ method: 'get', path: '/logs', operation: 'followLogs', summary: 'the log, as it is written' },
      ...{ role: 'read', query: logsQuery },
      description: 'events named log: a line of the log each, beginning with the newest that are kept',
      handle({ query: { level, follow, after = 0 } }, request, reply) {
        streams.open(request, reply, (stream) => {
          const tell = (line: { readonly id: number }): void => {
            // Who reads too slowly is cut off, comes back with the last id, and misses nothing that is kept.
            if (stream.isBehind) stream.end();
            else stream.write({ type: 'log', data: line, id: line.id });
          };
          for (const line of feed.since(after, level)) stream.write({ type: 'log', data: line, id: line.id });
          if (follow === 'true') return feed.subscribe(level, tell);
          stream.end();
          return () => undefined;
        });
      },
    }),
  ];
}
