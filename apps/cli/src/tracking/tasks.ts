import { toHex } from '@tutti/base';
import type { Coordination, RoundRecord } from '@tutti/coordination';
import { follow, mlflowSecrets, openTracker, type Follower, type Point } from '@tutti/trackers';
import { reportOf } from '../start/round-line.ts';
import { pointOf } from './points.ts';

/** What is told of a coordinator. */
export type TrackedCoordination = Pick<
  Coordination,
  'publicKey' | 'taskNames' | 'taskInfo' | 'rounds' | 'subscribe'
>;

/** Longest wait for trackers when a coordinator ends: what is not kept then is kept after the next start. */
const CLOSE_MS = 5_000;

/**
 * Keeps every task's rounds with the trackers at `addresses`. A tracker that is away holds nothing up: it has every round when it is back, those
 * of an earlier process too.
 */
export function trackTasks(
  coordination: TrackedCoordination,
  addresses: readonly string[],
  onProblem: (problem: unknown) => void,
): { close(): Promise<void> } {
  const followers = new Map<string, readonly Follower[]>();
  const coordinator = toHex(coordination.publicKey).slice(0, 16);
  function begin(task: string): void {
    if (followers.has(task)) return;
    const run = { name: task, id: `${coordinator}/${task}`, settings: settingsOf(coordination, task) };
    const those = addresses.map((address) =>
      follow({
        pointsAfter: (step) => pointsAfter(coordination.rounds(task), task, step),
        open: () => openTracker(address, run, mlflowSecrets(process.env)),
        onProblem,
        after,
      }),
    );
    followers.set(task, those);
    for (const one of those) one.nudge();
  }
  for (const task of coordination.taskNames) begin(task);
  const leave = coordination.subscribe(({ type, task }) => {
    if (type === 'task-opened') begin(task);
    if (type === 'committed') for (const one of followers.get(task) ?? []) one.nudge();
  });
  return {
    async close() {
      leave();
      const closing = [...followers.values()].flat().map((one) => one.close('stopped').catch(onProblem));
      let cancel: (() => void) | undefined;
      const tooLate = new Promise<void>((resolve) => (cancel = after(CLOSE_MS, resolve)));
      await Promise.race([Promise.all(closing), tooLate]);
      cancel?.();
    },
  };
}

/** Rounds count up from one, so those after a step begin at its place. */
function pointsAfter(rounds: readonly RoundRecord[], task: string, step: number): Point[] {
  return rounds
    .slice(Math.max(0, step))
    .flatMap((record) => pointOf(reportOf({ type: 'committed', task, record }), record.endedAtMs) ?? []);
}

function settingsOf(coordination: TrackedCoordination, task: string): Record<string, string> {
  const { model = {}, items = 0 } = coordination.taskInfo(task) ?? {};
  const plain = Object.entries(model).filter(
    ([, value]) => typeof value !== 'object' || Array.isArray(value),
  );
  return {
    items: String(items),
    ...Object.fromEntries(plain.map(([name, value]) => [`model.${name}`, String(value)])),
  };
}

function after(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}
