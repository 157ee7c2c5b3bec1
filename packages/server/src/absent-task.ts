import type { Coordination } from '@tutti/coordination';
import { ApiError } from './api-route.ts';

/** When to come again for a task that nobody runs, in milliseconds: as long as it takes others to notice that its owner is gone. */
const NO_OWNER_RETRY_MS = 10_000;

/** Whether there is a task that no process of a cluster runs at the moment. */
export const isUnowned = (
  coordination: Pick<Coordination, 'taskNames' | 'taskInfo'>,
  task: string,
): boolean => coordination.taskNames.includes(task) && coordination.taskInfo(task) === undefined;

/** Why nothing can be told of a task: there is none of this name, or nobody runs it at the moment. */
export const absentTask = (coordination: Coordination, task = ''): ApiError =>
  isUnowned(coordination, task)
    ? unownedTask(`no process runs task ${task} at the moment; the logs of owners say why`)
    : new ApiError(404, 'http/unknown-task', 'this coordinator has no such task');

/** Nobody runs a task at the moment. */
export const unownedTask = (message: string): ApiError =>
  new ApiError(503, 'task/no-owner', message, { retryAfterMs: NO_OWNER_RETRY_MS });
