import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientClock } from '@tutti/client';

/** The machine's clock. */
export const systemClientClock: ClientClock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, { signal });
  },
};
