import { expect, it } from 'vitest';
import { held, runFuzz } from './fuzz.ts';

it('a coordinator that is sent 3,000 messages and requests of strangers neither ends, nor fails, nor grows', async () => {
  const result = await runFuzz({ messages: 3_000, seed: 1 });
  expect(result.failures).toEqual([]);
  expect(result).toMatchObject({ crashes: 0, serverErrors: 0 });
  expect(result.messages).toBeGreaterThanOrEqual(3_000);
  expect(held(result)).toBe(true);
  // Routes were reached, with tokens and without, and what is wrong was refused.
  for (const status of [200, 400, 401, 403, 404]) expect(result.statuses[status]).toBeGreaterThan(0);
}, 60_000);
