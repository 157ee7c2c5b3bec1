import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { coordinatorProcess, roundsOf, type Process, type RoundLine } from './coordinators.ts';
import { filmsTask, openPeople, startServers, TAKE_OVER_MS, type Servers } from './processes.ts';

/** Two equal processes, as an operator starts them. */

let started: Servers | string = 'needs redis: it was not started';
const folder = mkdtempSync(join(tmpdir(), 'tutti-takeover-'));
beforeAll(async () => void (started = await startServers()), 60_000);
afterAll(async () => {
  if (typeof started !== 'string') await started.destroy();
  rmSync(folder, { recursive: true, force: true });
});

const isChain = (rounds: readonly RoundLine[]): boolean =>
  rounds.every(
    ({ round, previousModelHash }, i) =>
      round === i + 1 && (i === 0 || previousModelHash === rounds[i - 1]?.modelHash),
  );

async function untilRound(url: string, round: number, limitMs = 30_000): Promise<RoundLine[]> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const rounds = await roundsOf(url).catch(() => []);
    if (rounds.length >= round) return rounds;
    if (Date.now() > deadline) throw new Error(`${url} is at round ${rounds.length}, not ${round}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('an owner that is paused', () => {
  it('loses its task to another, writes nothing when it wakes up, and serves clients as before', async (ctx) => {
    if (typeof started === 'string') return ctx.skip(started);
    const { redis, postgres } = started;
    const store = await postgres.newDatabase();
    const config = {
      ...{ store, cluster: { redis: redis.url, takeOverMs: TAKE_OVER_MS } },
      tasks: [filmsTask(6)],
    };
    const first = await coordinatorProcess(folder, 'first', config);
    const second = await coordinatorProcess(folder, 'second', config);
    await first.start();
    await second.start();
    const owner = async (): Promise<{ holder: string; epoch: number }> => {
      const [row] = await postgres.query(
        store,
        `select holder, epoch from tutti.leases where scope = 'task:films'`,
      );
      return row as unknown as { holder: string; epoch: number };
    };
    // Everybody is at the second: the first is paused whole.
    const people = await openPeople(join(folder, 'paused'), [second.url], 8);
    const processes: Process[] = [first, second];
    try {
      const before = await untilRound(second.url, 2);
      const { holder, epoch } = await owner();
      first.signal('SIGSTOP');
      const after = await untilRound(second.url, before.length + 2);
      expect((await owner()).epoch).toBe(epoch + 1);
      expect((await owner()).holder).not.toBe(holder);
      first.signal('SIGCONT');
      const [last] = [await untilRound(second.url, after.length + 2)];
      expect(isChain(last)).toBe(true);
      expect(last.slice(0, after.length)).toEqual(after);
      expect((await owner()).epoch).toBe(epoch + 1);
      // It follows the other one, and knows every round.
      expect((await untilRound(first.url, last.length)).slice(0, last.length)).toEqual(last);
    } finally {
      await people.close();
      for (const one of processes) one.signal('SIGKILL');
    }
  }, 90_000);
});
