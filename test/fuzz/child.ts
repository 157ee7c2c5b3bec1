import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator } from '@tutti/server';

/**
 * A real coordinator in a process of its own, to be sent anything. Argument: the file of its tokens. It tells the parent its address,
 * and its resident memory, after everything was collected, whenever it is asked.
 */

const [tokens] = process.argv.slice(2) as [string];
const gc = (globalThis as { gc?: () => void }).gc;
if (gc === undefined || process.send === undefined) throw new Error('run by fuzz.ts, with --expose-gc');

/** Strangers are closed after ten malformed messages; here they go on, so that more of them is read. */
const STRIKES = 1_000;
const MANY = 1_000_000_000;

const coordinator = await createCoordinator({
  config: {
    listen: { port: 0 },
    tokens,
    limits: { requestsPerMinute: MANY, messagesPerMinute: MANY },
    tasks: [
      {
        name: 'films',
        catalogue: { ids: Array.from({ length: 40 }, (_, film) => `film-${film}`) },
        meanHistory: 5,
        model: { family: 'mf', dimension: 4 },
        rounds: 10_000,
        round: {
          ...{ cohort: 6, smallestCohort: 3, overselection: 1, selectionMs: 100 },
          deadlines: { trainMs: 500, shareKeysMs: 300, maskedInputMs: 300, unmaskMs: 300 },
        },
        insecureSmallCohort: true,
      },
    ],
  },
  store: memoryStore(),
  blobs: memoryBlobs(nodeCrypto),
  limits: { strikes: STRIKES },
  unmaskThreads: 1,
});
process.on('message', () => {
  gc();
  gc();
  process.send?.({ rssMB: process.memoryUsage().rss / 2 ** 20 });
});
process.on('disconnect', () => process.exit(0));
process.send({ url: await coordinator.listen() });
