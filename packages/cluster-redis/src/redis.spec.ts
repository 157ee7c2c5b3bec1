import { expect, it } from 'vitest';
import { RedisUnavailableError } from './errors.ts';
import { reachRedis } from './redis.ts';
import { startTestRedis } from './testing.ts';

it('is reached where it runs, and missed by name where it does not', async (ctx) => {
  const started = await startTestRedis();
  if (typeof started === 'string') return ctx.skip(started);
  try {
    await expect(reachRedis(started.url)).resolves.toBeUndefined();
    await expect(reachRedis('redis://127.0.0.1:9', 300)).rejects.toBeInstanceOf(RedisUnavailableError);
  } finally {
    await started.destroy();
  }
});
