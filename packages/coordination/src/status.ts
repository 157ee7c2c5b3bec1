import { toHex } from '@tutti/base';
import { PROTOCOL_VERSION, type TaskInfo } from '@tutti/protocol';
import type { Attempt } from './attempt-state.ts';
import { progressOf } from './attempt-view.ts';
import type { TaskStatus } from './events.ts';
import { OPEN } from './identity.ts';
import type { TaskHistory } from './history.ts';
import type { Lobby } from './lobby.ts';
import { mechanismOf } from './noise-plan.ts';
import type { TaskConfig } from './task-config.ts';
import type { TaskLog } from './task-log.ts';

/** Clients that a training attempt asks. */
export function clientsAsked({ cohort }: TaskConfig): number {
  return Math.ceil(cohort.planned * cohort.overselection);
}

/** Whether every update that was asked for is made. */
export function isFinished({ rounds }: TaskConfig, { round }: TaskHistory): boolean {
  return round >= rounds;
}

/** What a client reads before it takes part. */
export function taskInfo(
  { name, model }: TaskConfig,
  history: TaskHistory,
  { layoutHash, catalogueHash }: { readonly layoutHash: string; readonly catalogueHash: string },
  coordinatorKey: Uint8Array,
): TaskInfo {
  return {
    protocol: PROTOCOL_VERSION,
    task: name,
    coordinatorKey: toHex(coordinatorKey),
    model: { ...model.config },
    items: model.items,
    layoutHash,
    catalogueHash,
    round: history.round,
    modelHash: history.modelHash ?? '',
    ...(history.promotions.length === 0 ? {} : { promotions: history.promotions.length }),
  };
}

function restingPhase(config: TaskConfig, history: TaskHistory, isSpent: boolean): TaskStatus['phase'] {
  if (history.run === 'stopped') return 'stopped';
  if (isFinished(config, history)) return 'finished';
  if (isSpent) return 'budget-spent';
  return history.run === 'paused' ? 'paused' : 'select';
}

/** What a task is doing now. `attempt` is the one that is going on; `isSpent`: its privacy budget allows no more. */
export function taskStatus(
  config: TaskConfig,
  { history, epsilon }: Pick<TaskLog, 'history' | 'epsilon'>,
  { connected, waiting }: Pick<Lobby, 'connected' | 'waiting'>,
  attempt: Attempt | undefined,
  isSpent: boolean,
): TaskStatus {
  const total = clientsAsked(config);
  return {
    task: config.name,
    identity: (config.identity ?? OPEN).level,
    round: history.round,
    target: config.rounds,
    attempt: history.attempt,
    phase: attempt?.phase ?? restingPhase(config, history, isSpent),
    run: history.run,
    progress: attempt === undefined ? { done: Math.min(waiting, total), total } : progressOf(attempt),
    connected,
    waiting,
    modelHash: history.modelHash ?? '',
    epsilon,
    noise: noiseStatus(config),
  };
}

function noiseStatus({ noise }: TaskConfig): TaskStatus['noise'] {
  const { multiplier, accounting } = noise;
  return {
    mechanism: multiplier === 0 ? 'none' : mechanismOf(noise).name,
    multiplier,
    delta: accounting?.dpDelta ?? null,
    epsilonBudget: accounting?.epsilonBudget ?? null,
  };
}
