import { expect, it } from 'vitest';
import { startServers } from '../cluster/processes.ts';
import { runChaos } from './chaos.ts';
import { runClusterChaos } from './cluster-chaos.ts';
import { openChaosDatabase } from './database.ts';

it('a coordinator killed 6 times at random instants loses no round, counts none twice, and gets on', async () => {
  const result = await runChaos({ kills: 6, seed: 1 });
  expect(result).toMatchObject({ kills: 6, lost: 0, doubled: 0, stuck: 0 });
  expect(result.rounds).toBeGreaterThanOrEqual(3);
}, 400_000);

it('the same on PostgreSQL, whose server is killed and restarted too', async (ctx) => {
  const database = await openChaosDatabase();
  if (typeof database === 'string') return ctx.skip(database);
  try {
    const result = await runChaos({ kills: 4, seed: 2, database });
    expect(result).toMatchObject({ kills: 4, lost: 0, doubled: 0, stuck: 0 });
    expect(result.rounds).toBeGreaterThanOrEqual(2);
  } finally {
    await database.destroy();
  }
}, 200_000);

it('a cluster whose processes, Redis and PostgreSQL are killed and paused loses and doubles nothing, and gets on', async (ctx) => {
  const servers = await startServers();
  if (typeof servers === 'string') return ctx.skip(servers);
  const result = await runClusterChaos({ kills: 4, seed: 3, servers });
  expect(result).toMatchObject({ kills: 4, lost: 0, doubled: 0, stuck: 0 });
  expect(result.rounds).toBeGreaterThanOrEqual(2);
}, 600_000);
