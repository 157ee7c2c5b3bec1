import type { Worker } from 'node:worker_threads';
import {
  memoryBlobs,
  memoryGroupSums,
  memoryStore,
  PartialSumLostError,
  type CoordinationEvent,
  type GroupSums,
  type Store,
} from '@tutti/coordination';
import { localUnmasker, type Unmasker } from '@tutti/secure-aggregation';
import { nodeCrypto, openUnmaskPool } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { openStory, taskConfig, type StoryClient } from './federation.ts';

/** What is left when the coordinator's own house is on fire: a full disk, a lost file, a spent budget. */

const failures = (events: readonly CoordinationEvent[]): boolean[] =>
  events.flatMap((event) => (event.type === 'failed' ? [event.fatal] : []));

describe('a privacy budget', () => {
  const noisy = (epsilonBudget: number) =>
    taskConfig({
      rounds: 50,
      noise: { multiplier: 8, metricMultiplier: 24, accounting: { dpDelta: 1e-5, epsilonBudget } },
    });

  it('is never exceeded: the task stops before the round that would', async () => {
    const story = await openStory({ count: 8, config: noisy(1.5) });
    let ended: CoordinationEvent | undefined;
    for (let round = 0; round < 50; round++) {
      await story.gather();
      ended = story.events.find(({ type }) => type === 'finished');
      if (ended !== undefined) break;
      await story.untilEnd();
    }
    expect(ended).toMatchObject({ reason: 'privacy-budget-spent' });
    const rounds = story.coordination.rounds('films');
    expect(rounds.length).toBeGreaterThan(1);
    for (const { epsilon } of rounds) expect(epsilon?.coordinator).toBeLessThanOrEqual(1.5);
  });

  it('that is spent refuses a measurement instead of letting it wait', async () => {
    const story = await openStory({ count: 8, config: noisy(0.01) });
    await story.gather();
    // Not one round fits into it: no round begins, and the task says so.
    expect(story.events).toEqual([]);
    expect(story.coordination.status('films')?.phase).toBe('budget-spent');
    await expect(story.coordination.evaluate('films')).rejects.toMatchObject({
      code: 'coordination/task-stopped',
      reason: 'privacy-budget-spent',
    });
  });

  it('is still spent after a restart', async () => {
    const [store, blobs] = [memoryStore(), memoryBlobs(nodeCrypto)];
    const config = noisy(1.5);
    const before = await openStory({ count: 8, config, store, blobs });
    await before.gather();
    await before.untilEnd();
    const spent = before.coordination.status('films')?.epsilon;
    const after = await openStory({ count: 8, config, store, blobs });
    expect(after.coordination.status('films')?.epsilon).toEqual(spent);
    expect(spent?.coordinator).toBeGreaterThan(0);
  });
});

describe('a round of several groups', () => {
  it('is accounted with the noise of its smallest group, whose sum the coordinator sees apart', async () => {
    const config = taskConfig({
      cohort: { planned: 9, smallest: 4, largestGroup: 5, overselection: 1 },
      noise: { multiplier: 8, metricMultiplier: 24, accounting: { dpDelta: 1e-5 } },
    });
    const story = await openStory({ count: 9, config });
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ record: { reported: 9, groups: 2 } });
    const heard = story.clients[0]?.heard.find((message) => message.type === 'describe');
    const noise = heard?.type === 'describe' ? heard.description.noise : undefined;
    if (noise?.mechanism !== 'skellam') throw new Error('no noise was asked for');
    const journal = await story.store.readJournal('films');
    expect(journal.find(({ type }) => type === 'round-committed')).toMatchObject({
      release: {
        ...{ mechanism: 'skellam', multiplier: 8, survivors: 9, fewestInGroup: 4 },
        parts: [
          { variance: 4 * noise.deltaVariance, readersVariance: 9 * noise.deltaVariance },
          { variance: 4 * noise.metricVariance, readersVariance: 9 * noise.metricVariance },
        ],
      },
    });
  });
});

describe('threads that remove masks', () => {
  it('and are killed end the round by name; the next is exact, and takes their place', async () => {
    const [pool, threads] = [openUnmaskPool({ workers: 2 }), [] as Worker[]];
    const onWorker = (worker: Worker): void => void threads.push(worker);
    process.on('worker', onWorker);
    try {
      let kill = true;
      const unmasker: Unmasker = {
        ...localUnmasker(nodeCrypto),
        prepare: () => pool.prepare(),
        async remove(sum, masks) {
          const work = pool.remove(sum, masks);
          if (kill) for (const thread of threads) void thread.terminate();
          await work;
        },
      };
      const story = await openStory({ count: 8, config: taskConfig({ rounds: 2 }), unmasker });
      await story.gather();
      expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'internal-error' });
      expect(story.events[0]).toMatchObject({
        type: 'failed',
        fatal: false,
        error: { name: 'UnmaskingError', code: 'secure-aggregation/unmasking-failed' },
      });
      kill = false;
      await story.gather();
      expect(await story.untilEnd()).toMatchObject({ type: 'committed', record: { round: 1, attempt: 2 } });
      expect(threads).toHaveLength(4);
    } finally {
      process.off('worker', onWorker);
      await pool.close();
    }
  });

  it('give the checkpoint that one thread gives', async () => {
    const pool = openUnmaskPool({ workers: 3 });
    const hashes = [];
    for (const unmasker of [localUnmasker(nodeCrypto), pool]) {
      const story = await openStory({ count: 8, unmasker });
      (story.clients[3] as StoryClient).silentFrom = 'relay-shares';
      await story.gather();
      const event = await story.untilEnd();
      hashes.push(event.type === 'committed' ? event.record.modelHash : event.type);
    }
    await pool.close();
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(hashes[1]).toBe(hashes[0]);
  });
});

describe('parts of a sum that other processes hold', () => {
  /** Sums of which these groups lose a part, in the first attempt. */
  const losing = (...groups: number[]): GroupSums => {
    const sums = memoryGroupSums();
    return {
      ...sums,
      async take(key, clients) {
        if (key.attempt === 1 && groups.includes(key.group))
          throw new PartialSumLostError(key.attempt, key.group, 'its gateway has ended');
        return sums.take(key, clients);
      },
    };
  };

  it('end the attempt by name where they are gone; clients come again, and the next one is whole', async () => {
    const story = await openStory({ count: 8, config: taskConfig({ rounds: 2 }), sums: losing(0) });
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'gateway-lost' });
    expect(failures(story.events)).toEqual([]);
    await story.settle();
    const outcomes = story.clients.map(({ heard }) => heard.find(({ type }) => type === 'outcome'));
    expect(outcomes).toHaveLength(8);
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ outcome: 'aborted', reason: 'coordinator-restarted' });
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'committed', record: { round: 1, attempt: 2 } });
  });

  it('end their group alone where there are others', async () => {
    const cohort = { planned: 8, smallest: 4, largestGroup: 4, overselection: 1 };
    const story = await openStory({ count: 8, config: taskConfig({ cohort }), sums: losing(1) });
    await story.gather();
    const event = await story.untilEnd();
    expect(event).toMatchObject({ type: 'committed', record: { groups: 1, reported: 4 } });
  });
});

describe('a store that fails', () => {
  it('ends a round whose model is gone by name, and does not hang', async () => {
    const blobs = memoryBlobs(nodeCrypto);
    const story = await openStory({ count: 8, config: taskConfig({ rounds: 2 }), blobs });
    await blobs.delete(story.coordination.taskInfo('films')?.modelHash ?? '');
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'internal-error' });
    expect(failures(story.events)).toEqual([false]);
    expect(story.coordination.rounds('films')).toEqual([]);
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', record: { attempt: 2 } });
  });

  it('stands still, says so, and acknowledges nothing once the journal cannot be written', async () => {
    const whole = memoryStore();
    let full = false;
    const store: Store = {
      ...whole,
      appendJournal: (...entry) =>
        full ? Promise.reject(new Error('no space left on device')) : whole.appendJournal(...entry),
    };
    const blobs = memoryBlobs(nodeCrypto);
    const story = await openStory({ count: 8, store, blobs });
    await story.gather();
    full = true;
    await expect(story.untilEnd()).rejects.toThrow('cannot be written: no space left');
    expect(failures(story.events)).toEqual([true]);
    expect(story.events[0]).toMatchObject({ error: { code: 'coordination/journal-write' } });
    const heard = story.clients.flatMap((client) => client.heard);
    expect(heard.filter(({ type }) => type === 'outcome')).toEqual([]);
    full = false;
    const again = await openStory({ count: 8, store, blobs });
    await again.gather();
    expect(await again.untilEnd()).toMatchObject({ type: 'committed', record: { round: 1, attempt: 2 } });
  });

  it('goes on by itself where it is told to, from what the journal holds, once that can be written', async () => {
    const whole = memoryStore();
    let full = false;
    const store: Store = {
      ...whole,
      appendJournal: (...entry) =>
        full ? Promise.reject(new Error('no space left on device')) : whole.appendJournal(...entry),
    };
    const story = await openStory({ count: 8, store, openAgainMs: 1_000 });
    await story.gather();
    full = true;
    await expect(story.untilEnd()).rejects.toThrow('cannot be written: no space left');
    const tried = failures(story.events).length;
    story.clock.advance(1_000);
    await story.settle();
    expect(failures(story.events).length).toBeGreaterThan(tried);
    full = false;
    story.clock.advance(1_000);
    await story.settle();
    expect(story.events.at(-1)).toMatchObject({ type: 'task-reopened', task: 'films' });
    const told = story.clients.map(({ heard }) => heard.findLast(({ type }) => type === 'outcome'));
    for (const outcome of told) expect(outcome).toMatchObject({ reason: 'coordinator-restarted' });
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'committed', record: { round: 1, attempt: 2 } });
  });

  it('asks those again who waited for a round that could not be written down', async () => {
    const whole = memoryStore();
    let full = false;
    const store: Store = {
      ...whole,
      appendJournal: (...entry) =>
        full ? Promise.reject(new Error('no space left on device')) : whole.appendJournal(...entry),
    };
    const story = await openStory({ count: 8, store, openAgainMs: 1_000 });
    full = true;
    await story.gather();
    await story.settle();
    expect(failures(story.events)).toEqual([true]);
    full = false;
    story.clock.advance(1_000);
    expect(await story.untilEnd()).toMatchObject({ type: 'committed', record: { round: 1, attempt: 1 } });
  });

  it('gives up a measurement when the coordinator closes', async () => {
    const story = await openStory({ count: 3, config: taskConfig({ rounds: 0 }) });
    const measured = story.coordination.evaluate('films');
    const outcome = expect(measured).rejects.toMatchObject({ reason: 'stopped' });
    await story.coordination.close();
    await outcome;
  });
});
