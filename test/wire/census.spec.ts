import { afterEach, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';

/** A coordinator that was told nothing of its people: how many likes they have is learned from a sum, and clients follow. */

let federation: WireFederation | undefined;
afterEach(async () => {
  await federation?.close();
  federation = undefined;
});

it('counts before it trains where the file does not say how long histories are', async () => {
  const [task] = wireConfig().tasks;
  const { meanHistory: _, ...unsaid } = task as NonNullable<typeof task>;
  federation = await openWireFederation(
    { ...wireConfig(), tasks: [{ ...unsaid, rounds: 2 }] },
    { engine: 'ts' },
  );
  const { coordinator, client, events, run } = federation;
  const { coordination } = coordinator;
  const before = coordination.taskInfo('films')?.model;
  // 2, 4, … 12 likes; each but the shortest history keeps one of them to measure with, so 37 among six.
  const clients = await Promise.all(
    Array.from({ length: 6 }, (_, i) => client(`person-${i}`, FILMS.slice(10 * i, 12 * i + 2))),
  );
  await run(clients, rounds(2));
  const counted = events.find(({ type }) => type === 'evaluated');
  expect(counted).toMatchObject({ record: { reported: 6 } });
  expect(counted?.type === 'evaluated' && counted.record.metrics.meanHistory).toBeCloseTo(37 / 6, 1);
  const after = coordination.taskInfo('films')?.model;
  expect(after?.['unobservedWeight']).toBeCloseTo((10 * 37) / 6 / FILMS.length, 2);
  expect(after).not.toEqual(before);
  expect(coordination.rounds('films').map(({ reported }) => reported)).toEqual([6, 6]);
  const list = await clients[0]?.recommend({ k: 5 });
  expect(list).toHaveLength(5);
});
