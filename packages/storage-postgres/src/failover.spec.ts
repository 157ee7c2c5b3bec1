import { LeaseLostError } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { expect, it } from 'vitest';
import { openSharedPostgresStorage } from './index.ts';
import { startTestPair } from './testing.ts';

const created = (atMs: number) =>
  ({
    ...({ v: 1, type: 'task-created', atMs } as const),
    ...{ layoutHash: 'a'.repeat(64), catalogueHash: 'b'.repeat(64), modelHash: 'c'.repeat(64) },
  }) as const;

it('a primary that is killed under load loses nothing that was acknowledged: its synchronous standby has it, and the lease', async (ctx) => {
  const pair = await startTestPair();
  if (typeof pair === 'string') return ctx.skip(pair);
  try {
    const url = await pair.newDatabase();
    const options = { statementMs: 500, answerMs: 300 };
    const [one, two] = [
      await openSharedPostgresStorage(url, nodeCrypto, options),
      await openSharedPostgresStorage(url, nodeCrypto, options),
    ];
    const lease = await one.take('films', undefined);
    if (lease === undefined) throw new Error('nobody has it');
    let acknowledged = 0;
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await lease.store.appendJournal('films', acknowledged, [created(acknowledged)]);
        acknowledged++;
      }
    })();
    while (acknowledged < 20) await new Promise((resolve) => setTimeout(resolve, 5));
    await pair.failOver('reset');
    const then = acknowledged;
    while (acknowledged < then + 20) await new Promise((resolve) => setTimeout(resolve, 5));
    isOver = true;
    await writing;
    const journal = await two.store.readJournal('films');
    expect(journal).toEqual(Array.from({ length: acknowledged }, (_, i) => created(i)));
    const [view] = await two.look();
    expect(view?.epoch).toBe(lease.epoch);
    const next = await two.take('films', view);
    expect(next?.epoch).toBe(lease.epoch + 1);
    await expect(lease.store.put('key', Uint8Array.of(1))).rejects.toThrow(LeaseLostError);
    await Promise.all([one.close(), two.close()]);
  } finally {
    await pair.destroy();
  }
}, 60_000);
