import { TaskStoppedError, type Coordination, type RunState, type TaskStatus } from '@tutti/coordination';
import type * as z from 'zod';
import { absentTask } from './absent-task.ts';
import { ApiError, jsonRoute, type ApiRoute } from './api-route.ts';
import { pageQuery, roundsSchema, tasksSchema, taskStatusSchema, tokenSchema } from './api-schemas.ts';
import { taskProblems } from './inspect-task.ts';
import type { TaskCreator } from './task-creator.ts';
import { taskSchema } from './task-schema.ts';

/** Largest body of a task, which brings its catalogue. */
const LARGEST_TASK_BYTES = 2 ** 26;

/** The routes of tasks and their rounds. */
export function taskRoutes(coordination: Coordination, creator: TaskCreator): readonly ApiRoute[] {
  const statusOf = (task = ''): TaskStatus => {
    const status = coordination.status(task);
    if (status === undefined) throw absentTask(coordination, task);
    return status;
  };
  const setRun = (operation: string, run: RunState, summary: string): ApiRoute =>
    jsonRoute({
      ...{ method: 'post', path: `/tasks/{task}/${operation}`, operation: `${operation}Task`, summary },
      ...{ role: 'operate', schema: taskStatusSchema, problems: [409] as const },
      async handle({ params: { task = '' }, by }) {
        statusOf(task);
        await coordination.setRun(task, run, by?.name ?? '').catch((error: unknown) => {
          throw error instanceof TaskStoppedError ? stopped(task) : error;
        });
        return statusOf(task);
      },
    });
  return [
    jsonRoute({
      ...{ method: 'get', path: '/tasks', operation: 'listTasks', summary: 'how every task stands' },
      schema: tasksSchema,
      handle: () => ({ tasks: statusesOf(coordination) }),
    }),
    jsonRoute({
      ...{ method: 'post', path: '/tasks', operation: 'createTask', summary: 'begin one more task' },
      ...{
        role: 'operate',
        status: 201,
        body: taskSchema,
        largestBody: LARGEST_TASK_BYTES,
        bodyProblems: (body: unknown) => [...taskProblems(body), ...creator.nameProblems(body)],
        schema: taskStatusSchema,
        problems: [409, 503] as const,
      },
      async handle({ body, by }) {
        await creator.create(body, by?.name ?? '');
        return statusOf(body.name);
      },
    }),
    jsonRoute({
      ...{ method: 'get', path: '/tasks/{task}', operation: 'showTask', summary: 'how a task stands' },
      schema: taskStatusSchema,
      handle: ({ params: { task } }) => statusOf(task),
    }),
    setRun('pause', 'paused', 'begin no further round; the one that is going on ends first'),
    setRun('resume', 'running', 'go on'),
    setRun('stop', 'stopped', 'end the round that is going on, and the task, for good'),
    jsonRoute({
      ...{
        method: 'get',
        path: '/tasks/{task}/rounds',
        operation: 'listRounds',
        summary: 'rounds that were made',
      },
      ...{ query: pageQuery, schema: roundsSchema },
      handle({ params: { task = '' }, query: { from, limit } }) {
        statusOf(task);
        const all = coordination.rounds(task);
        const rounds = all.slice(from - 1, from - 1 + limit);
        const next = from + rounds.length;
        return { rounds: [...rounds], next: rounds.length > 0 && next <= all.length ? next : null };
      },
    }),
    jsonRoute({
      ...{
        method: 'get',
        path: '/token',
        operation: 'showToken',
        summary: 'whose token this is, and what it lets do',
      },
      ...{ role: 'read', schema: tokenSchema },
      handle: ({ by }) => by as z.input<typeof tokenSchema>,
    }),
  ];
}

/** How tasks stand; one that no process of a cluster runs has nothing that could be told. */
export const statusesOf = (coordination: Coordination): TaskStatus[] =>
  coordination.taskNames.flatMap((task) => coordination.status(task) ?? []);

const stopped = (task: string): ApiError =>
  new ApiError(409, 'task/stopped', `task ${task} was stopped for good; create another`);
