import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { coordinatorProcess, roundsOf, type Process, type RoundLine } from './coordinators.ts';
import {
  filmsTask,
  openNode,
  openPeople,
  startServers,
  TAKE_OVER_MS,
  until,
  type Servers,
} from './processes.ts';

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

async function journalOf({ postgres }: Pick<Servers, 'postgres'>, store: string): Promise<RoundLine[]> {
  const rows = await postgres.query(
    store,
    `select entry->'record' as record from tutti.journal
     where task = 'films' and entry->>'type' = 'round-committed' order by position`,
  );
  return rows.map(({ record }) => record as RoundLine);
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
      const before = await untilRound(second.url, 1);
      const { holder, epoch } = await owner();
      first.signal('SIGSTOP');
      const after = await untilRound(second.url, before.length + 1);
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

describe('what a cluster stands on', () => {
  it('may lose what it had: Redis all of it in the middle of inputs, PostgreSQL its last commits, a lease among them', async (ctx) => {
    if (typeof started === 'string') return ctx.skip(started);
    const { redis, postgres } = started;
    const store = await postgres.newDatabase();
    const shared = { redis: redis.url, store, tasks: [filmsTask(6)], roles: ['gateway', 'owner'] as const };
    const nodes = [await openNode(shared), await openNode(shared)] as const;
    const people = await openPeople(
      join(folder, 'lost'),
      nodes.map(({ url }) => url),
      8,
    );
    const roundsAt = (i: 0 | 1): readonly RoundLine[] => nodes[i].coordinator.coordination.rounds('films');
    const isAt = (round: number) => (): boolean => roundsAt(0).length >= round && roundsAt(1).length >= round;
    const connection = new Redis(redis.url);
    connection.on('error', () => undefined);
    let flushed: Promise<unknown> | undefined;
    try {
      await until('a round', isAt(1));
      // A standby that lacks the last commits has what they deleted.
      await postgres.query(store, 'create rule keep as on delete to tutti.blobs do instead nothing');
      nodes[0].coordinator.coordination.subscribe((event) => {
        if (event.type === 'progress' && event.status.phase === 'masked-input')
          flushed ??= connection.flushall();
      });
      await until('a loss of memory', () => flushed !== undefined);
      await flushed;
      const then = roundsAt(0).length;
      await until('a round after it', isAt(then + 1));

      // As on a standby that takes over and lacks the last commits: the newest round is gone, and nobody ever had the lease.
      await postgres.query(
        store,
        `update tutti.leases set epoch = 0, beats = -1, holder = 'nobody' where scope = 'task:films';
         delete from tutti.journal where task = 'films' and position >= (select max(position) from tutti.journal
           where task = 'films' and entry->>'type' = 'round-committed')`,
      );
      const left = (await journalOf(started, store)).length;
      await until('rounds on what is left', isAt(left + 2));
      const written = await journalOf(started, store);
      expect(written.length).toBeGreaterThanOrEqual(left + 2);
      expect(isChain(written)).toBe(true);
      const hashes = (rounds: readonly RoundLine[]): string[] =>
        rounds.slice(0, left + 2).map(({ modelHash }) => modelHash);
      for (const at of [0, 1] as const)
        await until('the same', () => hashes(roundsAt(at)).join() === hashes(written).join());
      // Gateways followed the lease with number 1: the next one is greater, whatever PostgreSQL knows.
      const [row] = await postgres.query(store, `select epoch from tutti.leases where scope = 'task:films'`);
      expect(row?.['epoch']).toBeGreaterThan(1);

      // A load balancer sends nobody to where no round can begin.
      for (const [name, one] of [
        ['Redis', redis],
        ['the database', postgres],
      ] as const) {
        const isTold = (): boolean => {
          const now = nodes[0].coordinator.readiness();
          return now.status === 'failed' && now.problem.startsWith(name);
        };
        await one.stop();
        await until(`word that ${name} is away`, isTold);
        await one.start();
        await until('word that it is back', () => nodes[0].coordinator.readiness().status === 'ready');
      }
    } finally {
      connection.disconnect();
      await people.close();
      for (const node of nodes) await node.close();
    }
  }, 90_000);
});
