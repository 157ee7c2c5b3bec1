import type { CoordinationEvent, Funnel, RoundRecord, TaskStatus } from '@tutti/coordination';
import { describe, expect, it } from 'vitest';
import { counted, EMPTY, reduce, type DashboardEvent } from './state.ts';
import { bytes, duration, losses, share, shortHash, verdict } from './words.ts';

const status = (over: Partial<TaskStatus> = {}): TaskStatus => ({
  ...{ task: 'films', identity: 'open', round: 0, target: 9, attempt: 1, phase: 'select', run: 'running' },
  ...{ progress: { done: 0, total: 8 }, connected: 8, waiting: 3, modelHash: 'a'.repeat(64), epsilon: null },
  noise: { mechanism: 'skellam', multiplier: 0.03, delta: null, epsilonBudget: null },
  ...over,
});
const funnel: Funnel = {
  ...{
    round: 1,
    attempt: 1,
    identity: 'open',
    endedAtMs: 1,
    durationMs: 1,
    selected: 8,
    ready: 8,
    cohort: 8,
  },
  ...{
    reported: 7,
    groups: 1,
    dropped: [{ phase: 'masked-input', count: 1 }],
    declined: {},
    upBytes: 1,
    downBytes: 1,
  },
};
const record = (round: number, modelHash = 'b'.repeat(64)): RoundRecord => ({
  ...{
    ...funnel,
    round,
    modelHash,
    previousModelHash: 'a'.repeat(64),
    loss: 1,
    clippedShare: null,
    epsilon: null,
  },
  metrics: { hr10: 0.5, ndcg10: 0.25, evaluated: 4 },
});
const after = (...events: DashboardEvent[]) => events.reduce(reduce, EMPTY);
const read: DashboardEvent = { type: 'read', tasks: [{ status: status({ round: 1 }), rounds: [record(1)] }] };
const committed = (round: number): CoordinationEvent => ({
  type: 'committed',
  task: 'films',
  record: record(round, 'c'.repeat(64)),
});

describe('what the page knows', () => {
  it('is what was read, and what was told since', () => {
    const state = after(read, committed(2), { type: 'live', live: true });
    expect(state.live).toBe(true);
    expect(state.tasks[0]?.rounds.map(({ round }) => round)).toEqual([1, 2]);
    expect(state.tasks[0]?.status).toMatchObject({ round: 2, modelHash: 'c'.repeat(64) });
  });

  it('has a round once, whether it was told before it was read, twice, or again after a coordinator went back', () => {
    expect(after(read, committed(1), committed(1)).tasks[0]?.rounds.map(({ round }) => round)).toEqual([1]);
    expect(after(committed(1), read).tasks[0]?.rounds.map(({ round }) => round)).toEqual([1]);
    expect(
      after(read, committed(2), committed(3), committed(2)).tasks[0]?.rounds.map(({ round }) => round),
    ).toEqual([1, 2]);
  });

  it('remembers what came to nothing over a new reading, and no more than it must', () => {
    const aborted: DashboardEvent = {
      type: 'aborted',
      task: 'films',
      reason: 'too-few-ready',
      record: funnel,
      againAfterMs: 0,
    };
    expect(after(read, aborted, read).tasks[0]?.aborted.map(({ reason }) => reason)).toEqual([
      'too-few-ready',
    ]);
    const many = Array.from({ length: 300 }, () => aborted);
    expect(after(read, ...many).tasks[0]?.aborted.length).toBe(200);
  });

  it('changes nothing for a task that is not there', () => {
    const other: DashboardEvent = { type: 'progress', task: 'songs', status: status({ task: 'songs' }) };
    expect(after(read, other)).toEqual(after(read));
    expect(
      after(read, { type: 'progress', task: 'films', status: status({ phase: 'unmask' }) }).tasks[0]?.status
        .phase,
    ).toBe('unmask');
  });
});

describe('words', () => {
  it('say what there is, and a dash where there is nothing', () => {
    expect([share(0.12345), share(null), share(undefined)]).toEqual(['0.123', '–', '–']);
    expect([bytes(12), bytes(52_400), bytes(61e6), bytes(3.2e9)]).toEqual([
      '12 B',
      '52 kB',
      '61.0 MB',
      '3.20 GB',
    ]);
    expect([duration(1_234), duration(200_000)]).toEqual(['1.2 s', '3 min 20 s']);
    expect(losses(funnel)).toBe('1 in masked-input');
    expect(losses({ dropped: [], declined: { 'wrong-model': 2 } })).toBe('2 declined: wrong-model');
    expect(losses({ dropped: [], declined: {} })).toBe('–');
    expect([shortHash(''), shortHash('0123456789abcdef')]).toEqual(['–', '0123456789']);
    expect(counted(['a', 'b', 'a'])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });
});

describe('how a candidate was judged', () => {
  const judged = {
    ...{ sequence: 2, candidate: 'a'.repeat(64), incumbent: 'b'.repeat(64), metric: 'hr@10' as const },
    ...{ verdict: 'rollback' as const, difference: -0.12, low: -0.2, high: -0.04, confidence: 0.95 },
    ...{ people: 212.4, looks: 2 },
  };

  it('is kept until the next, also when the page reads everything anew', () => {
    const told: DashboardEvent = { type: 'model-judged', task: 'films', ...judged };
    expect(after(read, told, read).tasks[0]?.judged).toMatchObject(judged);
    expect(after(read).tasks[0]).not.toHaveProperty('judged');
  });

  it('is told with its interval', () => {
    expect(verdict(judged)).toBe(
      'worse than the one before: HR@10 −0.120, from −0.200 to −0.040, over 212 people',
    );
  });
});
