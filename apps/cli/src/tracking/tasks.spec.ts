import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CoordinationEvent, RoundRecord } from '@tutti/coordination';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { trackTasks, type TrackedCoordination } from './tasks.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'tutti-tracked-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const record = (round: number): RoundRecord => ({
  ...{ round, attempt: round, identity: 'open', endedAtMs: 1_000 * round, durationMs: 500 },
  ...{ selected: 12, ready: 11, cohort: 10, reported: 9, groups: 1, declined: {}, upBytes: 5, downBytes: 6 },
  ...{ dropped: [{ phase: 'train', count: 1 }], loss: 0.5, clippedShare: null, epsilon: null },
  ...{ metrics: { hr10: round / 10, ndcg10: null, evaluated: 9 } },
  ...{ modelHash: 'a'.repeat(64), previousModelHash: 'b'.repeat(64) },
});

/** A coordinator as far as trackers look at it, whose tasks make rounds when they are told to. */
function coordinator() {
  const rounds = new Map<string, RoundRecord[]>([['films', []]]);
  const listeners = new Set<(event: CoordinationEvent) => void>();
  const tell = (event: CoordinationEvent): void => listeners.forEach((listener) => listener(event));
  const coordination: TrackedCoordination = {
    publicKey: new Uint8Array(32).fill(7),
    get taskNames() {
      return [...rounds.keys()];
    },
    taskInfo: () => undefined,
    rounds: (task) => rounds.get(task) ?? [],
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    coordination,
    add(task: string) {
      rounds.set(task, []);
      tell({ type: 'task-opened', task });
    },
    make(task: string, count: number) {
      const made = rounds.get(task) ?? [];
      for (let n = 0; n < count; n++) {
        made.push(record(made.length + 1));
        tell({ type: 'committed', task, record: made.at(-1) as RoundRecord });
      }
    },
  };
}

const fail = (problem: unknown): never => {
  throw problem;
};

function stepsIn(task: string): number[] {
  const lines = readFileSync(join(folder, `${task}.jsonl`), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => (JSON.parse(line) as { step: number }).step);
}

describe('a coordinator with trackers', () => {
  it('keeps each round of each task once, over a restart too, and those of tasks that come later', async () => {
    const { coordination, make, add } = coordinator();
    make('films', 2);
    const first = trackTasks(coordination, [`jsonl:${folder}`], fail);
    make('films', 3);
    add('books');
    make('books', 1);
    await first.close();
    make('films', 2);
    const second = trackTasks(coordination, [`jsonl:${folder}`], fail);
    make('films', 1);
    await second.close();
    expect(stepsIn('films')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(stepsIn('books')).toEqual([1]);
    expect(JSON.parse(readFileSync(join(folder, 'books.jsonl'), 'utf8'))).toEqual({
      ...{ step: 1, atMs: 1_000, 'quality/hr_at_10': 0.1, 'training/loss': 0.5, 'round/seconds': 0.5 },
      ...{ 'cohort/size': 10, 'cohort/reported': 9, 'cohort/dropped': 1, 'bytes/up': 5, 'bytes/down': 6 },
    });
  });

  it('goes on without a tracker that does not work, and tells of it', async () => {
    writeFileSync(join(folder, 'file'), '');
    const { coordination, make } = coordinator();
    const onProblem = vi.fn();
    const tracked = trackTasks(coordination, [`jsonl:${folder}/file`, `jsonl:${folder}`], onProblem);
    make('films', 3);
    await vi.waitFor(() => expect(onProblem).toHaveBeenCalledOnce());
    await tracked.close();
    expect(stepsIn('films')).toEqual([1, 2, 3]);
    expect(String(onProblem.mock.calls[0]?.[0])).toContain(`jsonl:${folder}/file`);
  });
});
