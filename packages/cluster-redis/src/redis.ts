import { UsageError } from '@tutti/base';
import { Redis } from 'ioredis';
import { RedisUnavailableError } from './errors.ts';

/** How long a connection may take to be made, in milliseconds. */
const CONNECT_MS = 5_000;
/** How long one may be silent while it owes an answer, in milliseconds: longer than a reader waits for messages. */
const SILENT_MS = 6_000;
/** Longest pause between two tries to connect, in milliseconds. */
const MOST_PAUSE_MS = 500;

/** By when a connection that was cut without a word is noticed. */
export const PATIENCE = { connectTimeout: CONNECT_MS, socketTimeout: SILENT_MS, keepAlive: 10_000 };

/** Connects. Nothing waits for a Redis that is away: what is sent then is lost, and who sent it hears so. */
export function connectRedis(url: string): Redis {
  if (!/^rediss?:\/\/./.test(url))
    throw new UsageError('cluster.redis: redis://[user:password@]host:6379[/n] is expected');
  const redis = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // What was under way when a connection broke fails at once.
    maxRetriesPerRequest: 0,
    ...PATIENCE,
    retryStrategy: (times) => Math.min(MOST_PAUSE_MS, 20 * times),
  });
  // Each command says for itself that it failed.
  redis.on('error', () => undefined);
  return redis;
}

/** Waits until it can be used. @throws {RedisUnavailableError} */
export async function untilConnected(redis: Redis, limitMs: number): Promise<void> {
  let last: unknown;
  const hear = (error: unknown): void => void (last = error);
  redis.on('error', hear);
  redis.connect().catch(hear);
  const deadline = performance.now() + limitMs;
  try {
    while (redis.status !== 'ready') {
      if (performance.now() > deadline)
        throw new RedisUnavailableError(last instanceof Error ? last.message : 'no connection', {
          cause: last,
        });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    redis.off('error', hear);
  }
}

/** How long a Redis may take to answer somebody who only asks whether it is there, in milliseconds. */
const REACHED_MS = 5_000;

/** Asks whether Redis answers, for so long at most. @throws {RedisUnavailableError} and {UsageError} for an address that is none. */
export async function reachRedis(url: string, limitMs = REACHED_MS): Promise<void> {
  const redis = connectRedis(url);
  try {
    await untilConnected(redis, limitMs);
  } finally {
    redis.disconnect();
  }
}
