import { expect, it } from 'vitest';
import { runFullDisk } from './full-disk.ts';

it('a coordinator whose disk is full ends attempts by name, loses nothing, and goes on by itself once there is room', async (ctx) => {
  const result = await runFullDisk(500);
  if (typeof result === 'string') return ctx.skip(result);
  expect(result).toMatchObject({ lost: 0, doubled: 0, stuck: 0 });
  expect(result.notes).toEqual(['told by /readyz while it was full']);
  expect(['internal-error', 'coordinator-restarted']).toEqual(expect.arrayContaining([...result.reasons]));
}, 200_000);
