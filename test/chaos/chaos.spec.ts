import { expect, it } from 'vitest';
import { runChaos } from './chaos.ts';

it('a coordinator killed 50 times at random instants loses no round, counts none twice, and gets on', async () => {
  const result = await runChaos({ kills: 50, seed: 1 });
  expect(result).toMatchObject({ kills: 50, lost: 0, doubled: 0, stuck: 0 });
  expect(result.rounds).toBeGreaterThanOrEqual(10);
}, 400_000);
